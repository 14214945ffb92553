"""The runs below a directory, each with what it takes and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from assay.app.demo.watch import audited
from assay.app.report.evidence import RunEvidence
from assay.app.run.directory import Run
from assay.app.stores.file_lock import holder_of
from assay.app.substrate import state
from assay.contracts.errors import AssayError
from assay.contracts.pins import PLATFORM_RUN_ID


class Process(NamedTuple):
    """A process as the system lists it."""

    pid: int
    cwd: Path
    argv: tuple[str, ...]


class RunFound(NamedTuple):
    """A run's directory. `state` is running, finished, begun, empty or unreadable; `detail` says by whom or why.

    `audited` is the number of decisions in its audit chain.
    """

    directory: Path
    platform_run_id: str
    state: str
    detail: str
    kind: str
    policy: str
    audited: int
    size_bytes: int


def runs_in(root: Path) -> list[RunFound]:
    """Every run below a directory, in the order of their names; what is no run is left out."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink()) if root.is_dir() else []
    listed = list(processes())
    return [found(path, listed) for path in folders if is_run(path)]


def is_run(directory: Path) -> bool:
    """Whether a directory is that of a run, also of one that never came so far as to write its `run.json`."""
    return (directory / "run.json").is_file() or PLATFORM_RUN_ID.fullmatch(directory.name) is not None


def found(directory: Path, listed: Iterable[Process]) -> RunFound:
    """What there is to say about the directory of a run."""
    user = user_of(directory, listed)
    own_bytes = size_bytes = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    try:
        run = Run.load(directory)
        decided, finished = audited(run), RunEvidence.is_in(run.store)
        size_bytes += run.store.size_below("") if run.store_root else 0
    except (AssayError, FileNotFoundError) as damage:
        broken = ("unreadable", str(damage)) if (directory / "run.json").exists() else ("empty", "")
        return RunFound(directory, directory.name, *(("running", user) if user else broken), "", "", 0, own_bytes)
    told = ("running", user) if user else ("finished" if finished else "begun", "")
    kind = "live" if run.config.is_live else "world"
    policy = f"{run.config.policy.get('policy_id')} r{run.config.policy.get('revision')}"
    return RunFound(directory, run.platform_run_id, *told, kind, policy, decided, size_bytes)


def user_of(directory: Path, listed: Iterable[Process]) -> str:
    """Who works on a run: the holder of its lock, its servers left running, or a process that names it by `--run`; empty for nobody."""
    holder = holder_of(directory)
    if holder:
        return holder
    servers = [server.name for server in state.read(directory) if server.alive]
    if servers:
        return f"{' and '.join(servers)}, left running by `assay substrate up`"
    here = directory.resolve()
    return next((f"process {one.pid}" for one in listed if here in _runs_named(one)), "")


def _runs_named(one: Process) -> list[Path]:
    after = [value for option, value in zip(one.argv, one.argv[1:], strict=False) if option == "--run"]
    after += [value.removeprefix("--run=") for value in one.argv if value.startswith("--run=")]
    return [(one.cwd / value).resolve() for value in after]


def processes() -> Iterator[Process]:
    """Processes of this machine that name a run; those that we may not look at are left out."""
    for process in psutil.process_iter():
        try:
            argv = tuple(process.cmdline())
            if any(value.startswith("--run") for value in argv) and process.pid != psutil.Process().pid:
                yield Process(process.pid, Path(process.cwd()), argv)
        except psutil.Error:
            continue
