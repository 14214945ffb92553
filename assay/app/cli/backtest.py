"""`assay backtest`: what would have changed had another policy decided a run."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.cli.plain_app import plain_app
from assay.app.pace import pace_of
from assay.app.policy.documents import load_policy
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen, say
from assay.app.settings import load_settings

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay backtest`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay backtest") or 0)


@app.command(epilog="example: assay backtest --policy ./mine --run runs/live --ids changed.csv")
def backtest(
    policy: Annotated[str, typer.Option(help="a shipped policy, or a folder or file of your own (see `assay policy`)")],
    run: Annotated[Path, typer.Option(help="directory of the run; its Kafka has to be up")],
    ids: Annotated[Path | None, typer.Option(help="new CSV file to write every changed payment to")] = None,
    limit: Annotated[int, typer.Option(min=0, help="so many changed payments are shown")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
    expect_same: Annotated[bool, typer.Option("--expect-same", help="exit 1 if an outcome changes")] = False,
) -> int:
    """Decide a run again under another policy, and say what changes: outcomes, reasons, frauds and money.

    The journal of the run is folded from its beginning, in its order, under both policies. Nothing is written to the run.
    """
    from assay.app.backtest.backtest import backtest as answer_of
    from assay.app.backtest.backtest import refuse_unfit_policy
    from assay.app.backtest.ids_file import ids_file
    from assay.app.backtest.sources import BusSources
    from assay.app.backtest.view import show

    loaded, wired = load_policy(policy), Run.load(run)
    refuse_unfit_policy(wired, loaded)
    console = Screen(stderr=as_json)
    with ExitStack() as stack:
        try:
            write = stack.enter_context(ids_file(ids))
        except OSError as error:
            raise typer.BadParameter(f"--ids {ids} cannot be written: {error.strerror}") from None
        sources = BusSources(wired, properties_of(wired, BusUser.READER))
        with ProgressLine("decided again", 0, console, time.monotonic, pace=pace_of(load_settings())) as line:
            answer = answer_of(wired, loaded, sources, limit, write, lambda done, total: line.show(done, total=total))
    if as_json:
        say(json.dumps(answer.as_json(), indent=1))
    else:
        show(answer, console)
    return 1 if expect_same and answer.changed else 0
