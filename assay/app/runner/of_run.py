"""The Scenario Runner of a run directory: its stores, its bus, its engine, and the clock of this machine."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable

from assay.app.authority.store import open_authority
from assay.app.bus.publisher import Publisher
from assay.app.progress import unseen
from assay.app.run.directory import Run
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.engine import Attempt, ProcessEngine
from assay.app.runner.evidence import Evidence, Seen
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.request import RunRequest
from assay.app.runner.runner import Runner
from assay.app.stores.places import store_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def authority_of(run: Run, address: str = "") -> str:
    """The address of the database that decides who writes a run: the one that is given, else that of the run."""
    return address or run.dsn


class Worlds:
    """The port `Evidence` by the request: the bank at its `engine_run_root`, or the imported world of the run where it names none."""

    def __init__(self, imported: ImportedWorld) -> None:
        self._imported = imported

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """See the port."""
        return self._of(request).outputs_of(request)

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """See the port."""
        return self._of(request).look(request, keep)

    def _of(self, request: RunRequest) -> Evidence:
        if not request.engine_run_root:
            return self._imported
        from assay.app.world.pack import shipped_interface  # with it come the engine's segments

        return BankWorld(store_of(request.engine_run_root), shipped_interface())


def generate_command(attempt: Attempt) -> list[str]:
    """`assay world generate` for an attempt. Raises Stop(ENGINE_INVOCATION_INVALID) for parameters that no scale has."""
    from assay.app.world.scales import scale_of

    scale = scale_of(attempt.parameter_hash)
    if not scale:
        what = f"no scale of this version has the parameters {attempt.parameter_hash}"
        raise Stop(Reason.ENGINE_INVOCATION_INVALID, what, where="parameter_hash", remedy="Take the hash from a world of this version.")
    options = ["--out", attempt.engine_run_root, "--scale", scale, "--seed", str(attempt.seed), "--json"]
    return [sys.executable, "-m", "assay", "world", "generate", *options]


def runner_of(run: Run, publisher: Publisher, authority: str = "", checked: Callable[[int, int], None] = unseen) -> Runner:
    """The runner of a run. `checked(done, total)` is called for every part of its world that was verified.

    Raises Stop(DATABASE_NOT_MIGRATED, DATABASE_TOO_NEW, SETTING_INVALID), Retry(DATABASE_SILENT).
    """
    return Runner(
        config=run.config,
        store=run.store,
        authority=open_authority(authority_of(run, authority)),
        evidence=Worlds(ImportedWorld(run.store, run.config, now_us, checked)),
        publisher=publisher,
        clock=now_us,
        pause=time.sleep,
        owner_id=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}",
        engine=ProcessEngine(generate_command, store_of),
    )
