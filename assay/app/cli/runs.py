"""`assay runs list | remove`: the runs of this machine, and the end of one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.properties import read_bus_properties
from assay.app.cli.plain_app import plain_app
from assay.app.housekeeping.listing import RunFound, runs_in
from assay.app.housekeeping.removal import Removal, planned, remove
from assay.app.report.fitted_table import fitted
from assay.app.screen import Screen, say, say_json
from assay.app.settings import load_settings
from assay.contracts.visible import one_line

MB = 1_000_000

app = plain_app("List and remove runs.", no_args_is_help=True)


def main(arguments: list[str]) -> int:
    """Run `assay runs`."""
    return int(app(arguments, standalone_mode=False, prog_name="assay runs") or 0)


@app.command("list", short_help="list the runs with state, decisions and size")
def list_(
    root: Annotated[Path | None, typer.Option("--in", help="directory that holds the runs (default: ASSAY_RUNS)")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """List the runs of a directory: running, finished, begun (it can be resumed), empty (nothing began), or unreadable.

    Example: assay runs list --in runs
    """
    where = root or load_settings().runs
    found = runs_in(where)
    if as_json:
        say_json([{**one._asdict(), "directory": str(one.directory)} for one in found])
        return
    if not found:
        say(f"there is no run in {where}")
        return
    heads = ("run", "state", "decided", "MB", "policy")
    rows = [(one_line(str(one.directory)), one.state, f"{one.audited:,}", f"{one.size_bytes / MB:,.0f}", one.policy) for one in found]
    screen = Screen()
    screen.print(fitted(heads, rows, screen.width, may_go=(4,)))
    for one in found:
        _explain(one)


@app.command("remove", short_help="remove a run with its topics and rows")
def remove_(
    runs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="directories of runs")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    local: Annotated[bool, typer.Option("--local", help="the directory only; what is on other servers stays")] = False,
) -> int:
    """Remove runs: each directory, and the topics, groups, PostgreSQL rows and objects of the run where servers and store are not its own.

    A run that somebody works on is refused. It asks first; nothing can be brought back.

    Example: assay runs remove runs/platform_20260101T000000Z
    """
    properties = read_bus_properties(load_settings().bus_properties)
    plans = [planned(directory, properties, local=local) for directory in runs]
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here: give --yes")
    for plan in plans:
        told = _in_words(plan)
        if not yes and not typer.confirm(f"remove {told}?", err=True):
            say(f"{plan.directory} stays")
            continue
        rows = remove(plan, properties)
        say(f"removed {told}" + (f" ({rows:,} rows)" if plan.rows else ""))
        for kept in plan.kept:
            say(f"  {kept}")
    return 0


def _explain(one: RunFound) -> None:
    if one.detail:
        say(f"{one_line(str(one.directory))}: {one.state}, {one.detail}")


def _in_words(plan: Removal) -> str:
    parts = [one_line(str(plan.directory))]
    parts += [f"{len(plan.topics)} topics"] if plan.topics else []
    parts += [f"{len(plan.groups)} consumer groups"] if plan.groups else []
    parts += ["its rows in PostgreSQL"] if plan.rows else []
    parts += [f"its objects in {one_line(plan.objects)}"] if plan.objects else []
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if parts[1:] else parts[0]
