"""`assay demo`: a file of payments through Kafka to audited decisions, replayed, verified and reported."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from assay.app.cli.plain_app import plain_app
from assay.app.demo.new_run import new_directory
from assay.app.demo.run_demo import Wanted, run_demo
from assay.app.demo.sources import WORLD, Source, source_of
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.samples.shelf import SAMPLES
from assay.app.oracle.set_aside import refuse_aside_file
from assay.app.policy.documents import Policy, load_policy, shipped_policies
from assay.app.policy.of_mapping import Documents, documents_for
from assay.app.profiles.documents import speedup_under
from assay.app.run.begun import begun_in
from assay.app.run.own_command import own_command
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.substrate.state import refuse_running
from assay.app.world.scales import SCALES
from assay.contracts.errors import Stop
from assay.contracts.pins import PLATFORM_RUN_ID
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import TrafficName

app = plain_app()

#: folder of a run that holds the policy that was made for it
POLICY = "policy"


def main(arguments: list[str]) -> int:
    """Run `assay demo`."""
    return app(arguments, standalone_mode=False, prog_name="assay demo") or 0


SpeedupOption = Annotated[
    float | None, typer.Option(min=0, help="event time per wall time; 0 is as fast as it goes; else the profile's, else 0")
]
PolicyOption = Annotated[
    str, typer.Option(help="a shipped policy, or a folder or file of your own (see `assay policy`); empty takes the mapping's own")
]
OutputsOption = Annotated[
    TrafficName | None, typer.Option(help="with --world: only stream the bank's own traffic and context of this kind to the gate")
]
PaymentsOption = Annotated[bool, typer.Option("--payments", help="with --world: only decide its payments, do not stream its rows before")]


@app.command()
def demo(
    input: Annotated[Path | None, typer.Option(help="a .parquet or .csv file of payments; none generates one")] = None,
    sample: Annotated[
        str, typer.Option(help=f"instead of a file, a small one in the shape of a public data set: {', '.join(SAMPLES)}")
    ] = "",
    mapping: Annotated[str, typer.Option(help="mapping of the file: a shipped name or a YAML file; of generated payments handbook")] = "",
    policy: PolicyOption = "",
    world: Annotated[
        str, typer.Option(help=f"instead of a file, the payments of a synthetic bank of this scale: {', '.join(SCALES)}")
    ] = "",
    rows: Annotated[
        int | None, typer.Option(min=1, help="payments to generate: 100,000, or a few thousand of a sample, if left out")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the generated payments")] = 1,
    speedup: SpeedupOption = None,
    run: Annotated[Path | None, typer.Option(help="directory of an interrupted run, to resume it")] = None,
    quarantine_rows: Annotated[
        Path | None, typer.Option(help="a new .jsonl file: rows at fault are set aside there instead of refusing the file")
    ] = None,
    let_gate_refuse: Annotated[bool, typer.Option("--let-gate-refuse", help="go on if payments name no entity of the policy")] = False,
    outputs: OutputsOption = None,
    payments: PaymentsOption = False,
) -> int:
    """Stream a world through one gate into Kafka, decide, act, audit, then prove it. SIGINT stops; --run resumes.

    With --world these are two runs: the bank's own rows and labels are admitted, then its payments are decided.

    Example: assay demo --sample paysim
    """
    rate = speedup_under(load_settings().profile, speedup)
    _refuse_mistyped(run, input, payments and (not world or outputs is not None))
    if outputs is not None:
        return _bank(world, seed, outputs, policy, rate, run)
    source = _source(input, sample, mapping, rows, seed, world)  # what is mistyped is said before anything is made or started
    if quarantine_rows is not None:
        refuse_aside_file(quarantine_rows)
    if world and run is None and not payments and (code := _bank(world, seed, TrafficName.FRAUD, policy, rate, None, both=True)):
        return code
    return _run(source, _policy(policy, source.mapping), run, _Further(policy, rate, quarantine_rows, let_gate_refuse))


def _bank(world: str, seed: int, mode: TrafficName, policy: str, speedup: float, run: Path | None, *, both: bool = False) -> int:
    """Run the demo of a bank's own outputs; `both`: its payments are decided afterwards."""
    if world not in SCALES:
        raise typer.BadParameter(f"--outputs needs --world: one of {', '.join(SCALES)}")
    from assay.app.demo.bank_demo import BankWanted, run_bank_demo

    settings, console = load_settings(), Screen()
    directory = run or new_directory(settings.runs, time.time_ns() // 1_000)
    part = ": the rows and labels of the bank; its payments are decided in a run of their own" if both else ""
    console.print(f"run {directory.name} in {directory}{part}", highlight=False, soft_wrap=True)
    try:
        with begun_in(directory, "assay demo", made=run is None):
            refuse_running(directory, settings)
            wanted = BankWanted(world, seed, mode, load_policy(policy or WORLD), directory, speedup)
            return 0 if run_bank_demo(wanted, settings, console) else 1
    except KeyboardInterrupt:
        options = ["--run", str(directory), "--world", world, "--seed", str(seed), "--outputs", mode.value]
        command = f"{own_command()} demo"
        console.print(Text(f"\nstopped; nothing is lost. Resume with:\n  {command} {shlex.join(options)}"), soft_wrap=True)
        if both:
            console.print(f"its payments:\n  {command} --world {world} --seed {seed} --payments", highlight=False, soft_wrap=True)
        return 130


class _Further(NamedTuple):
    """How a source is decided."""

    policy: str
    speedup: float
    aside: Path | None
    let_gate_refuse: bool

    @property
    def options(self) -> Sequence[str]:
        """The options of `assay demo` that say so."""
        return [
            *(("--policy", self.policy) if self.policy else ()),
            *(("--speedup", f"{self.speedup:g}") if self.speedup else ()),
            *(("--quarantine-rows", str(self.aside)) if self.aside else ()),
            *(("--let-gate-refuse",) if self.let_gate_refuse else ()),
        ]


def _run(source: Source, decided_by: _DecidedBy, run: Path | None, further: _Further) -> int:
    """Run the demo in its directory."""
    settings, console = load_settings(), Screen()
    directory = run or new_directory(settings.runs, time.time_ns() // 1_000)
    console.print(f"run {directory.name} in {directory}", highlight=False, soft_wrap=True)
    file = source.file_in(directory)
    wanted = Wanted(file, source.mapping, decided_by.policy, directory, directory.name, *further[1:])
    try:
        with begun_in(directory, "assay demo", made=run is None):
            refuse_running(directory, settings)
            source.make(wanted.file, console)
            decided_by.write(directory / POLICY, console)
            proven = run_demo(wanted, settings, console)
    except KeyboardInterrupt:
        command = f"{own_command()} demo {shlex.join(['--run', str(directory), *source.options, *further.options])}"
        console.print(Text(f"\nstopped; nothing is lost. Resume with:\n  {command}"), soft_wrap=True)
        return 130
    return 0 if proven else 1


class _DecidedBy(NamedTuple):
    """A policy; `made` are its documents if nobody had any."""

    policy: Policy
    made: Documents | None = None

    def write(self, folder: Path, console: Screen) -> None:
        """Give documents that were made to the person who runs them."""
        if self.made is not None:
            self.made.write(folder)
            said = f"  its policy stands in {folder}: copy it, change it, and name it with --policy"
            console.print(said, highlight=False, soft_wrap=True)


def _policy(given: str, mapping: str) -> _DecidedBy:
    """The policy that is named; else one of the mapping's name, or a first one for the mapping of a sample, which has none."""
    read = load_mapping(mapping)
    if given or mapping not in SAMPLES:
        return _DecidedBy(load_policy(given or _policy_of(mapping)))
    made = documents_for(read)
    return _DecidedBy(made.policy(), made)


def _source(input: Path | None, sample: str, mapping: str, rows: int | None, seed: int, world: str) -> Source:
    """Raises Stop(GENERATOR_REQUEST_INVALID) for a sample or shape that is not there, BadParameter for two sources and for a file alone."""
    if world and (input is not None or sample or mapping or rows is not None):
        raise typer.BadParameter("--world brings its own file, mapping and number of payments; leave the other sources and --rows out")
    if sample and (input is not None or mapping):
        raise typer.BadParameter("--sample brings its own file and mapping; leave --input and --mapping out")
    if input is not None and not mapping:
        raise typer.BadParameter(f"--input needs --mapping, which says how to read it; `assay oracle guess {input}` writes a first one")
    return source_of(input, sample, mapping or "handbook", rows, seed, world)


def _policy_of(mapping: str) -> str:
    """A shipped mapping has a policy of its own name; any other one needs to be told one."""
    if mapping in shipped_policies():
        return mapping
    raise Stop(
        Reason.POLICY_MISSING,
        f"no policy is named, and the mapping '{mapping}' has none of its own",
        remedy=f"Name one with --policy: {', '.join(shipped_policies())}, or a folder: `assay policy new DIR --mapping {mapping}`.",
    )


def _refuse_mistyped(run: Path | None, file: Path | None, payments_of_no_bank: bool) -> None:
    """Before a directory is made; what the file holds is seen when it is imported."""
    if payments_of_no_bank:
        raise typer.BadParameter("--payments goes with --world, and without --outputs")
    if run is not None:
        _refuse_no_run(run)
    if file is not None and not file.exists():
        raise Stop(Reason.INPUT_FILE_MISSING, "the input file does not exist", where=str(file), remedy="Check the path.")


def _refuse_no_run(directory: Path) -> None:
    """A mistyped directory must not begin another run."""
    if not directory.is_dir() or not PLATFORM_RUN_ID.fullmatch(directory.name):
        raise Stop(
            Reason.RUN_MISSING,
            f"{directory} is not the directory of a run" if directory.is_dir() else f"there is no directory {directory}",
            remedy="Give --run the directory printed by `assay demo`, or leave it out to begin a run.",
        )
