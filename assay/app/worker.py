"""The worker of a run: `faust -A assay.app.worker worker` or `assay worker`.

Which run, packs and web port come from the settings. The app is made when it is asked for, so importing this module
reads nothing.
"""

from __future__ import annotations

import json
import logging
from functools import cache
from typing import Any

from assay.agents.faust_shell.agents import LaneApp, Pages, Shell, ShellLane, build_app
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app import metrics
from assay.app.bus.properties import aiokafka_arguments, read_bus_properties
from assay.app.lane.wiring import wire
from assay.app.run.directory import Run
from assay.app.run.failpoints import Failpoints
from assay.app.settings import Settings, load_settings
from assay.app.snapshots.taking import SnapshotPace
from assay.app.substrate.ports import free_port
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@cache
def default_app() -> LaneApp:
    """The app of the run named by the settings."""
    return build_worker(load_settings())


def __getattr__(name: str) -> Any:
    if name == "app":  # what `faust -A` looks for
        return default_app()
    raise AttributeError(name)


def build_worker(settings: Settings) -> LaneApp:
    """The Faust app that runs the chosen packs of a run. Raises Stop(RUN_MISSING, PACK_UNKNOWN, FAILPOINT_UNKNOWN)."""
    if settings.run is None:
        raise Stop(Reason.RUN_MISSING, "no run is named", remedy="Set ASSAY_RUN, or give --run the directory of the run.")
    run = Run.load(settings.run)
    failpoints = Failpoints(settings.failpoint, settings.failpoint_file)
    properties = read_bus_properties(settings.bus_properties)
    shell = Shell(
        group=f"{run.namespace}{run.platform_run_id}",
        bootstrap=run.bootstrap,
        directory=run.directory / "faust",
        web_port=settings.web_port or free_port(),
        web_bind=settings.web_host,
        client=aiokafka_arguments(properties),
    )
    pace = SnapshotPace(settings.snapshot_every_records, settings.snapshot_every_s)
    lanes = wire(run, packs_of(settings.packs), failpoints, properties, settings.webhook_url, pace)
    specs = [ShellLane(lane.name, lane.topics, lane.driver) for lane in lanes]
    logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_is_news)
    return build_app(shell, specs, _pages)


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


def health(app: LaneApp) -> dict[str, Any]:
    """What the worker runs, what it stands by for, how far it has folded each journal, and how far behind its input it is."""
    owned = app.lanes.owned
    lag = [{"topic": handle, "partition": partition, "rows": rows} for (handle, partition), rows in sorted(app.lag().items())]
    journal = {name: spec.lane.next_offset for name, spec in app.lanes.specs.items()}
    return {"lanes": owned, "standby": [name for name in app.lanes.specs if name not in owned], "journal": journal, "lag": lag}


def _pages(app: LaneApp) -> Pages:
    return {
        "/healthz": lambda: (json.dumps(health(app)).encode(), "application/json"),
        "/metrics": lambda: (_exposition(app), metrics.CONTENT_TYPE.partition(";")[0]),
    }


def _exposition(app: LaneApp) -> bytes:
    lag: dict[str, int] = {}
    for (handle, _), rows in app.lag().items():
        lag[handle] = lag.get(handle, 0) + rows
    for handle, rows in lag.items():
        metrics.LANE_LAG_ROWS.labels(handle).set(rows)
    for name in app.lanes.specs:
        metrics.LANE_OWNED.labels(*LaneId.parse(name).labels).set(name in app.lanes.owned)
    return metrics.exposition()
