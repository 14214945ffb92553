"""`assay key`: the keys of a run's gate, changed while the gate goes on. Keys with a name are in `key_callers`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli import key_callers
from assay.app.cli.plain_app import plain_app
from assay.app.run import keys
from assay.app.run.directory import Run
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import say

app = plain_app("Show and change the keys that callers of a run's gate send. Gate and worker take a change at once.", no_args_is_help=True)
RunDirectory = Annotated[Path, typer.Option("--run", help="directory of the run")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
SHOWN = "KEY=$(assay key show --run runs/live)"


def main(arguments: list[str]) -> int:
    """Run `assay key`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay key") or 0)


@app.command("show", short_help="print the present key", epilog=f"Example: {SHOWN}")
def show(run: RunDirectory, as_json: AsJson = False) -> int:
    """Print the present key and nothing else, for a script."""
    found = Run.load(run)
    refuse_without_key(found.api_key, run)
    say(json.dumps(_facts(found) | {"key": found.api_key}) if as_json else found.api_key)
    return 0


@app.command("rotate", short_help="make a new key; the one before stays valid", epilog="Example: assay key rotate --run runs/live")
def rotate(run: RunDirectory, as_json: AsJson = False) -> int:
    """Make a new key. The key before stays valid until `assay key retire`, so that callers can change over."""
    facts = _facts(keys.rotate(run))
    say(json.dumps(facts) if as_json else f"{run} has a new key: `assay key show --run {run}` prints it.\n{_STILL_VALID}")
    return 0


@app.command("retire", short_help="refuse the key before, or a named key", epilog="Example: assay key retire --run runs/live")
def retire(
    run: RunDirectory,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="id of a named key, or an actor: all keys of the actor")] = "",
    as_json: AsJson = False,
) -> int:
    """Refuse the key before the present one from now on; with a NAME, a key that `assay key list` shows."""
    if name:
        gone = key_callers.retired(run, name)
        told = "\n".join(f"{key['key_id']} of {key['actor_id']} is refused from now on" for key in gone)
        say(json.dumps({"retired": gone}) if as_json else told)
        return 0
    retired = keys.retire(run)
    if as_json:
        say(json.dumps(_facts(Run.load(run)) | {"retired": retired}))
    else:
        say(f"the key before is refused from now on; {run} has one key" if retired else f"{run} has one key: nothing to retire")
    return 0


app.command("add", short_help="make a key that names its sender")(key_callers.add)
app.command("list", short_help="list the keys that name their senders")(key_callers.list_)
app.command("token", short_help="make a service token")(key_callers.token)

_STILL_VALID = "The key before stays valid until `assay key retire`."


def _facts(run: Run) -> dict[str, object]:
    return {"run": run.platform_run_id, "valid_keys": bool(run.api_key) + bool(run.earlier_api_key)}
