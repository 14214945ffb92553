"""A real worker of a run that ends without READY: its lanes wait for READY, and then for nothing any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gated_worlds import config_over, gated, generated_world
from lane_worker import WorkerProcess, filled_run, values
from scenario_runs import request_for, runner_over, sealed, sqlite_authority
from small_worlds import NOW_US
from worker_web import get_json

from assay.app.bus.publisher import KafkaPublisher
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.contracts.handles import CONTROL
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(300)]
ROWS = 60
WITHIN_S = 90.0


def test_the_lanes_of_a_worker_wait_for_ready_until_the_run_ends_without_it(tmp_path: Path, kafka: Server, namespace: str) -> None:
    world = generated_world(tmp_path / "world", "handbook", ROWS, 21)
    given = gated(world, config_over(world, "handbook"), rows_per_mark=ROWS)
    unsaid = given._replace(records=[(handle, record) for handle, record in given.records if handle != CONTROL])
    run, port = filled_run(tmp_path / "run", kafka.address, namespace, unsaid), free_port()
    for key in sealed(world).keys("oracle"):
        run.store.create(key, world.store.read(key))
    run.store.replace(f"{world.root}/{world.manifest.stream_view[0].key}", b"something else")
    worker = WorkerProcess(run, port=port)

    def health() -> Any:
        assert worker.process.poll() is None, worker.tail()
        return get_json(port, "/healthz") or {}

    until(lambda: any(CONTROL in waits for waits in health().get("waits_for", {}).values()), WITHIN_S)
    assert "run_ended" not in health()
    publisher = KafkaPublisher(kafka.address, namespace)
    runner = runner_over(given.config, run.store, publisher, NOW_US, authority=sqlite_authority(tmp_path / "authority.db"))
    assert runner.submit(request_for(given.config)).state == "QUARANTINED"
    until(lambda: "run_ended" in health(), WITHIN_S)
    told = health()
    assert told["run_ended"] == {"state": "QUARANTINED", "reason_code": "EVIDENCE_CONFLICT"}
    assert set(map(tuple, told["waits_for"].values())) == {()}
    assert values(run, "FP_BUS_RTDL_V1") == [], "nothing is decided"
    assert worker.stop() == 0
