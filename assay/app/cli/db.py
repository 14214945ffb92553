"""`assay db`: bring the database of gate and Scenario Runner to the schema of this version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.database.prepare import prepare
from assay.app.run.directory import Run
from assay.app.screen import say, say_json

app = plain_app("Bring the database of gate and Scenario Runner to the schema of this version.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Bring the database of gate and Scenario Runner to the schema of this version."""


@app.command(short_help="apply what revisions are missing, once")
def migrate(
    *,
    run: Annotated[Path | None, typer.Option(help="directory of a run: its database")] = None,
    authority: Annotated[str, typer.Option(help="sqlite:///FILE or postgresql://USER@HOST/DB")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="the revisions before and after as JSON")] = False,
) -> None:
    """Apply what revisions are missing, and give each component its rights. Doing it again changes nothing.

    The address is that of the owner of the database. A database of a later version of assay is refused: a schema never goes back.
    """
    if not authority and run is None:
        raise typer.BadParameter("give --run DIRECTORY or --authority ADDRESS")
    done = prepare(authority or Run.load(run).dsn if run else authority)
    if as_json:
        say_json(done._asdict())
        return
    was = f"from revision {done.before}" if done.before else "from nothing"
    made = "the gate's tables were made" if done.gate_tables_made else "nothing to do"
    say(f"revision {done.after}: {made}" if done.before == done.after else f"revision {done.after}, {was}")
    if done.roles:
        say(f"rights: {', '.join(done.roles)}")


def main(arguments: list[str]) -> int:
    """Run `assay db` with the remaining arguments."""
    return app(arguments, prog_name="assay db", standalone_mode=False) or 0
