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
from assay.app.control_bus.file_bus import FileControlBus
from assay.app.control_bus.port import ControlBus
from assay.app.profiles.documents import load_profile
from assay.app.progress import unseen
from assay.app.run.directory import Run, RunConfig
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.engine import Attempt, ProcessEngine
from assay.app.runner.evidence import Evidence, Seen
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.live_world import LiveWorld
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.request import RunRequest
from assay.app.runner.runner import Runner
from assay.app.settings import Settings, load_settings
from assay.app.settled import refuse_where_managed
from assay.app.stores.places import store_of
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def steady_us() -> int:
    """Microseconds of a clock that nobody sets; two of them tell how much time passed between."""
    return time.monotonic_ns() // 1_000


def authority_of(run: Run, address: str = "") -> str:
    """The address of the database that decides who writes a run: the one that is given, else that of the settings, else the run's."""
    return address or load_settings().authority or run.runner_dsn or run.dsn


def owner_of(run: Run, address: str = "") -> str:
    """The same for who makes its tables or writes its registry again."""
    return address or load_settings().authority or run.dsn


def control_of(run: Run, settings: Settings) -> ControlBus | None:
    """The control bus beside the topic that the lanes read; None where it is that topic. Raises Stop(SETTING_INVALID)."""
    if settings.control_bus == "kafka":
        return None
    name = topic(CONTROL).name(run.namespace)
    if settings.control_bus == "file":
        return FileControlBus(settings.control_bus_root, name, now_us)
    from assay.app.control_bus.kinesis_bus import KinesisControlBus, kinesis_client  # with it comes boto3

    client = kinesis_client(settings.control_bus_endpoint, settings.control_bus_region)
    return KinesisControlBus(settings.control_bus_stream, name, client, now_us)


def policy_of(settings: Settings) -> RunnerPolicy:
    """How evidence is taken: as the profile in force says. Raises as `load_profile`."""
    if not settings.profile:
        return RunnerPolicy()
    found = load_profile(settings.profile).policy.scenario_runner
    return RunnerPolicy(found.evidence_wait_s, found.attempt_limit, found.reuse == "ALLOW")


class Worlds:
    """The port `Evidence` by run and request: no world for a live run, the bank at its `engine_run_root`, else the imported world."""

    def __init__(self, config: RunConfig, imported: ImportedWorld) -> None:
        self._live, self._imported = LiveWorld(config) if config.is_live else None, imported

    def outputs_of(self, request: RunRequest) -> dict[str, tuple[str, ...]]:
        """See the port."""
        return self._of(request).outputs_of(request)

    def look(self, request: RunRequest, keep: Callable[[], object] = bool) -> Seen:
        """See the port."""
        return self._of(request).look(request, keep)

    def _of(self, request: RunRequest) -> Evidence:
        if self._live is not None:
            return self._live
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

    Raises Stop(SETTLEMENT_LOCK, DATABASE_NOT_MIGRATED, DATABASE_TOO_NEW, SETTING_INVALID), Retry(DATABASE_SILENT).
    """
    settings = load_settings()
    refuse_where_managed(settings)
    return Runner(
        config=run.config,
        store=run.store,
        authority=open_authority(authority_of(run, authority)),
        evidence=Worlds(run.config, ImportedWorld(run.store, run.config, now_us, checked)),
        publisher=publisher,
        clock=now_us,
        steady=steady_us,
        pause=time.sleep,
        owner_id=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}",
        engine=ProcessEngine(generate_command, store_of),
        control=control_of(run, settings),
        policy=policy_of(settings),
    )
