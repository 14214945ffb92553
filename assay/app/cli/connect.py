"""`assay connect`: feed a bank's own topics through the gate of a run."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from assay.app.cli.connect_kafka import kafka
from assay.app.cli.plain_app import plain_app
from assay.app.cli.send_options import RunOption
from assay.app.connect.aside import set_aside
from assay.app.run.directory import Run
from assay.app.screen import say

app = plain_app("Feed a bank's own topics through the gate of a run.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay connect`."""
    return app(arguments, standalone_mode=False, prog_name="assay connect") or 0


@app.callback()
def group() -> None:
    """Feed a bank's own topics through the gate of a run."""


app.command("kafka", short_help="feed a topic of your own Kafka")(kafka)


@app.command("refused", short_help="show the records that were set aside")
def refused(
    run: RunOption,
    topic: Annotated[str, typer.Option(help="of this topic; without it, of all")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print each record as a line of JSON")] = False,
) -> int:
    """Show the records that no event was made of, with their places, reasons and remedies. Ends with 1 when there are some.

    Example: assay connect refused --run runs/live
    """
    count = _shown(Run.load(run), topic, as_json=as_json)
    if not as_json:
        say(f"{count:,} records were set aside")
    return 1 if count else 0


def _shown(run: Run, topic: str, *, as_json: bool) -> int:
    count = 0
    for count, one in enumerate(set_aside(run.store, run.config.scenario_run_id, topic), start=1):  # noqa: B007 - counted
        if as_json:
            say(json.dumps(one, ensure_ascii=False))
        else:
            say(f"{one['topic']}-{one['partition']}@{one['offset']}: {one['error']}: {one['detail']} (at {one['where']}). {one['remedy']}")
    return count
