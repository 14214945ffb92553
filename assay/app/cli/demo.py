"""`assay demo`: a file of payments through Kafka to audited decisions, replayed, verified and reported."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from assay.app.cli.plain_app import plain_app
from assay.app.demo.new_run import new_directory
from assay.app.demo.run_demo import Wanted, run_demo
from assay.app.oracle.generator import generate
from assay.app.oracle.mapping import load_mapping
from assay.app.policy.documents import load_policy, shipped_policies
from assay.app.run.begun import begun_in
from assay.app.run.own_command import own_command
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.substrate.state import refuse_running
from assay.contracts.errors import Stop
from assay.contracts.pins import PLATFORM_RUN_ID
from assay.contracts.reasons import Reason

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay demo`."""
    return app(arguments, standalone_mode=False, prog_name="assay demo") or 0


@app.command()
def demo(
    input: Annotated[Path | None, typer.Option(help="a .parquet or .csv file of payments; none generates one")] = None,
    mapping: Annotated[str, typer.Option(help="mapping of the file: a shipped name or a YAML file")] = "handbook",
    policy: Annotated[
        str,
        typer.Option(help="a shipped policy, or a folder or file of your own (see `assay policy`); empty takes the mapping's name"),
    ] = "",
    rows: Annotated[int, typer.Option(min=1, help="payments to generate")] = 100_000,
    seed: Annotated[int, typer.Option(help="seed of the generated payments")] = 1,
    speedup: Annotated[float, typer.Option(min=0, help="event time per wall time; 0 is as fast as it goes")] = 0.0,
    run: Annotated[Path | None, typer.Option(help="directory of an interrupted run, to resume it")] = None,
) -> int:
    """Stream a world through one gate into Kafka, decide, act, audit, then prove it. SIGINT stops; --run resumes."""
    settings, console = load_settings(), Screen()
    if run is not None:
        _refuse_no_run(run)
    if input is not None:
        _refuse_no_file(input)
    load_mapping(mapping)  # what is mistyped is said before anything is made or started
    loaded = load_policy(policy or _policy_of(mapping))
    directory = run or new_directory(settings.runs, time.time_ns() // 1_000)
    console.print(f"run {directory.name} in {directory}", highlight=False, soft_wrap=True)
    file = input or directory / f"{mapping}.parquet"
    wanted = Wanted(file, mapping, loaded, directory, directory.name, speedup)
    try:
        with begun_in(directory, "assay demo", made=run is None):
            refuse_running(directory, settings)
            if input is None and not file.exists():
                unfinished = directory / "unfinished.parquet"
                generate(mapping, rows, seed, unfinished)
                unfinished.replace(file)  # a file is there when it is whole
                console.print(f"  generated {rows:,} payments of shape {mapping}, seed {seed}", highlight=False)
            proven = run_demo(wanted, settings, console)
    except KeyboardInterrupt:
        source = f"--input {shlex.quote(str(input))}" if input else f"--rows {rows} --seed {seed}"
        given = f"{source} --mapping {mapping}" + (f" --policy {policy}" if policy else "") + (f" --speedup {speedup:g}" if speedup else "")
        at = f"--run {shlex.quote(str(directory))}"
        console.print(Text(f"\nstopped; nothing is lost. Resume with:\n  {own_command()} demo {at} {given}"), soft_wrap=True)
        return 130
    return 0 if proven else 1


def _policy_of(mapping: str) -> str:
    """A shipped mapping has a policy of its own name; any other one needs to be told one."""
    if mapping in shipped_policies():
        return mapping
    raise Stop(
        Reason.POLICY_MISSING,
        f"no policy is named, and the mapping '{mapping}' has none of its own",
        remedy=f"Name one with --policy: {', '.join(shipped_policies())}, or a folder: `assay policy new DIR --mapping {mapping}`.",
    )


def _refuse_no_file(file: Path) -> None:
    """Before a directory is made; what the file holds is seen when it is imported."""
    if not file.exists():
        raise Stop(Reason.INPUT_FILE_MISSING, "the input file does not exist", where=str(file), remedy="Check the path.")


def _refuse_no_run(directory: Path) -> None:
    """A mistyped directory must not begin another run."""
    if not directory.is_dir() or not PLATFORM_RUN_ID.fullmatch(directory.name):
        raise Stop(
            Reason.RUN_MISSING,
            f"{directory} is not the directory of a run" if directory.is_dir() else f"there is no directory {directory}",
            remedy="Give --run the directory printed by `assay demo`, or leave it out to begin a run.",
        )
