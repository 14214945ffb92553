"""The worker of a run: `faust -A assay.app.worker worker` or `assay worker`.

Which run, packs and web port come from the settings. The app is made when it is asked for, so importing this module
reads nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from assay.agents.faust_shell.agents import Pages, Shell, ShellLane, WorkerApp, build_app
from assay.agents.topology import TOPOLOGY
from assay.app import metrics
from assay.app.bus.client import hush_loopback
from assay.app.bus.properties import aiokafka_arguments
from assay.app.bus.users import BusUser, properties_of
from assay.app.lane.wiring import wire
from assay.app.private_files import keep_private
from assay.app.run.directory import Run
from assay.app.run.failpoints import Failpoints
from assay.app.run.frozen import refuse_changed
from assay.app.run.keys import RunKeys
from assay.app.runner.ended import end_of
from assay.app.settings import Settings, load_settings
from assay.app.snapshots.taking import SnapshotPace
from assay.app.substrate.ports import free_port
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason

End = Callable[[], dict[str, str] | None]


@cache
def default_app() -> WorkerApp:
    """The app of the run named by the settings. What this process writes is for its user only, as with `assay worker`."""
    keep_private()
    return build_worker(load_settings())


def __getattr__(name: str) -> Any:
    if name == "app":  # what `faust -A` looks for
        return default_app()
    raise AttributeError(name)


def build_worker(settings: Settings) -> WorkerApp:
    """The Faust app that runs the lanes of the chosen packs of a run, each lane in its own consumer group.

    Raises Stop(RUN_MISSING, POLICY_CHANGED_MID_RUN, PACK_UNKNOWN, FAILPOINT_UNKNOWN).
    """
    if settings.run is None:
        raise Stop(Reason.RUN_MISSING, "no run is named", remedy="Set ASSAY_RUN, or give --run the directory of the run.")
    run = Run.load(settings.run)
    refuse_changed(run)
    failpoints = Failpoints(settings.failpoint, settings.failpoint_file)
    properties = properties_of(run, BusUser.WORKER, settings)
    shell = Shell(
        name=f"{run.namespace}{run.platform_run_id}",
        bootstrap=run.bootstrap,
        directory=run.directory / "faust",
        web_port=settings.web_port or free_port(),
        web_bind=settings.web_host,
        fetch_wait_ms=settings.fetch_wait_ms,
        client=aiokafka_arguments(properties),
        accepts_key=RunKeys(run).accepts,
    )
    pace = SnapshotPace(settings.snapshot_every_records, settings.snapshot_every_s)
    lanes = wire(run, packs_of(settings.packs), failpoints, properties, settings.webhook_url, pace)
    specs = [ShellLane(lane.id, lane.group, lane.topics, lane.tables, lane.driver) for lane in lanes]
    hush_loopback(run.bootstrap)
    logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_is_news)
    return build_app(shell, specs, lambda app: _pages(app, partial(end_of, run.store, run.config.scenario_run_id)))


def _is_news(record: logging.LogRecord) -> bool:
    """A group's first member makes the broker create the coordinator, and is told to ask again: that is no error."""
    return "GroupCoordinatorNotAvailable" not in record.getMessage()


def packs_of(text: str) -> list[str]:
    """Pack names from a comma-separated list, empty for all. Raises Stop(PACK_UNKNOWN)."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = sorted({lane.pack for lane in TOPOLOGY.lanes})
    for name in names:
        if name not in known:
            raise Stop(Reason.PACK_UNKNOWN, f"there is no pack '{name}'", remedy=f"Packs with lanes: {', '.join(known)}.")
    return names


def health(app: WorkerApp, end: End = lambda: None) -> dict[str, Any]:
    """The lanes that run here, those it stands by for, how far it has folded each journal, and how far each is behind its input.

    `waits_for` and `run_ended`: see `waiting`.
    """
    members = [lane_app.member for lane_app in app.lane_apps]
    lag = [
        {"lane": str(lane_app.member.spec.id), "topic": handle, "partition": partition, "rows": rows}
        for lane_app in app.lane_apps
        for (handle, partition), rows in sorted(lane_app.lag().items())
    ]
    return {
        "lanes": [str(member.spec.id) for member in members if member.active],
        "standby": [str(member.spec.id) for member in members if not member.active],
        "journal": {str(member.spec.id): member.lane.next_offset for member in members},
        **waiting({str(member.spec.id): member.lane.waits_for() for member in members if member.active}, end),
        "lag": lag,
    }


def waiting(waits: Mapping[str, list[str]], end: End) -> dict[str, Any]:
    """`waits_for`: topics whose marks hold back rows that a lane has read. No lane waits for a run that ended without READY: `run_ended`
    has its state and code then. `end` reads them; it is asked only while a lane waits for the control topic.
    """
    ended = end() if any(CONTROL in handles for handles in waits.values()) else None
    return {"waits_for": {lane: [] for lane in waits}, "run_ended": ended} if ended else {"waits_for": dict(waits)}


def _pages(app: WorkerApp, end: End) -> Pages:
    return {
        "/healthz": lambda: (json.dumps(health(app, end)).encode(), "application/json"),
        "/metrics": lambda: (_exposition(app), metrics.CONTENT_TYPE.partition(";")[0]),
    }


def _exposition(app: WorkerApp) -> bytes:
    for lane_app in app.lane_apps:
        identity = lane_app.member.spec.id.labels
        lag: dict[str, int] = {}
        for (handle, _), rows in lane_app.lag().items():
            lag[handle] = lag.get(handle, 0) + rows
        for handle, rows in lag.items():
            metrics.LANE_LAG_ROWS.labels(*identity, handle).set(rows)
        metrics.LANE_OWNED.labels(*identity).set(lane_app.member.active)
    return metrics.exposition(metrics.WORKER)
