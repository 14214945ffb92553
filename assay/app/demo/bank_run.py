"""A run that streams a bank's own outputs: its configuration, the request for it, and the views that are streamed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from assay.app.pack.sealed_pack import SealedPack, open_pack
from assay.app.policy.documents import Policy
from assay.app.progress import ProgressLine
from assay.app.run.directory import RunConfig
from assay.app.runner.request import request_of_run
from assay.app.screen import Screen
from assay.app.stores.objects import LargeObjects
from assay.app.stream_view.sorting import Room
from assay.app.stream_view.view import ViewSorter
from assay.contracts.ids import scenario_run_id
from assay.contracts.traffic_modes import BASELINE, TrafficMode

ARRIVALS = "arrival_events_5B"
_MEMORY_BYTES = 1 << 30


def outputs_of(mode: TrafficMode) -> tuple[str, ...]:
    """What a run of a traffic streams: its events, and the context that may be known when they happen.

    Times of arrivals are those of the traffic without fraud: beside the traffic with fraud they would show what was moved.
    """
    return (mode.events, mode.flow_anchors, mode.arrival_entities, *((ARRIVALS,) if mode is BASELINE else ()))


def bank_config(platform_run_id: str, pack: SealedPack, policy: Policy, mode: TrafficMode) -> RunConfig:
    """Config of a run over a sealed bank."""
    key = pack.identity.world_key
    fingerprint = str(key["manifest_fingerprint"])
    return RunConfig(
        platform_run_id=platform_run_id,
        scenario_run_id=scenario_run_id(f"{platform_run_id}|{fingerprint}"),
        manifest_fingerprint=fingerprint,
        parameter_hash=str(key["parameter_hash"]),
        scenario_id=str(key["scenario_id"]),
        seed=int(key["seed"]),
        run_id=pack.identity.run_id,
        features=policy.features,
        policy=policy.rules,
        traffic=mode.name.value,
    )


def bank_request(config: RunConfig, mode: TrafficMode, root: str) -> dict[str, Any]:
    """The request for the run. `root`: folder or S3 prefix of the bank."""
    return {**request_of_run(config), "engine_run_root": root, "output_ids": sorted(outputs_of(mode)), "requested_strategy": "FORCE_REUSE"}


def sort_views(store: LargeObjects, mode: TrafficMode, console: Screen) -> int:
    """Sort the outputs of a traffic, those that are not yet; how many rows they have. Raises as `ViewSorter.sort`."""
    pack, rows = open_pack(store), 0
    with tempfile.TemporaryDirectory() as spill:
        for output_id in outputs_of(mode):
            total = sum(part.rows for part in pack.parts(pack.output(output_id)))
            with ProgressLine(f"sort {output_id}", total, console, time.monotonic) as line:
                told = [0]

                def show(done: int, told: list[int] = told, line: ProgressLine = line) -> None:
                    told[0] += done  # a row is told when it was read, and when it was published
                    line.show(told[0] // 2)

                ViewSorter(pack, store, Room(_MEMORY_BYTES, Path(spill)), lambda: time.time_ns() // 1_000, show).sort(output_id)
            rows += total
    return rows
