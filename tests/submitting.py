"""A process that asks for one run many times at once: `submitting.py FOLDER DSN TIMES`. Several of them share store, database and bus.

It prints how often each state was answered, and the ids of runs, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from planted_worlds import made
from scenario_runs import request_for
from small_graph import IDENTITY
from small_runs import config_of
from small_worlds import NOW_US

from assay.app.authority.store import open_authority
from assay.app.bus.publisher import OutboundRecord
from assay.app.pack.interface import CATALOGUE, GATE_MAP, Interface, interface_of
from assay.app.run.directory import RunConfig
from assay.app.runner.answers import RunAnswer
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.engine import Attempt, Outcome
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore

THREADS = 8


class _Manifest:
    manifest_fingerprint, parameter_hash = IDENTITY.manifest_fingerprint, IDENTITY.parameter_hash
    scenario_id, seed = IDENTITY.scenario_id, IDENTITY.seed


CONFIG: RunConfig = config_of(_Manifest())  # type: ignore[arg-type]


def _line(file: Path, text: str) -> None:
    """Append a line, whoever else does."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb", buffering=0) as opened:
        opened.write(text.encode() + b"\n")


class SharedBus:
    """A bus that is a file of lines, which processes share: topic and record, each in hex."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        for record in records:
            _line(self._file, f"{handle} {record.value.hex()}")


class SharedEngine:
    """An engine that makes the world and writes a line for each call."""

    def __init__(self, pack: DirectoryStore, calls: Path) -> None:
        self._pack, self._calls = pack, calls

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        _line(self._calls, attempt.attempt_id)
        made(self._pack)
        return Outcome()


def _interface(folder: Path) -> Interface:
    store = DirectoryStore(folder)
    return interface_of(store.read(CATALOGUE), store.read(GATE_MAP))


def ask(folder: Path, dsn: str, owner: str) -> RunAnswer:
    """One request, with a runner and connections of its own."""
    pack = DirectoryStore(folder / "bank")
    runner = Runner(
        config=CONFIG,
        store=DirectoryStore(folder / "store"),
        authority=open_authority(dsn),
        evidence=BankWorld(pack, _interface(folder / "interface")),
        publisher=SharedBus(folder / "bus"),
        clock=lambda: NOW_US,
        steady=lambda: 0,
        pause=lambda _: None,
        owner_id=owner,
        engine=SharedEngine(pack, folder / "calls"),
        policy=RunnerPolicy(evidence_wait_s=60, attempt_limit=3),
    )
    return runner.submit(request_for(CONFIG, engine_run_root=str(folder / "bank")), wait=False)


def main(folder: Path, dsn: str, times: int) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda number: ask(folder, dsn, f"{os.getpid()}/{number}"), range(times)))
    states = Counter("held" if answer.held else answer.state for answer in answers)
    sys.stdout.write(json.dumps({"states": states, "runs": sorted({answer.run_id for answer in answers})}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
