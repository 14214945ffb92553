"""A thousand requests at once from four processes that share a store and a PostgreSQL: one run, one attempt of the engine, one READY."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import submitting
from planted_worlds import made
from submitting import CONFIG

from assay.app.authority.migrate import migrate
from assay.app.authority.store import open_authority
from assay.app.runner.record import Record
from assay.app.stores.objects import DirectoryStore
from assay.codecs.single_object import unpack

PROCESSES, REQUESTS, DEADLINE_S = 4, 1_000, 240


def submitted(folder: Path, dsn: str, times: int) -> Counter[str]:
    """What all processes were answered."""
    command = [sys.executable, submitting.__file__, str(folder), dsn, str(times // PROCESSES)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(PROCESSES)]
    states: Counter[str] = Counter()
    for process in started:
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, err.decode()[-3_000:]
        told: dict[str, Any] = json.loads(out)
        assert told["runs"] == [CONFIG.scenario_run_id]
        states.update(told["states"])
    return states


@pytest.mark.long
def test_of_a_thousand_requests_from_four_processes_one_makes_the_run(dsn: str, tmp_path: Path) -> None:
    migrate(dsn)
    made(DirectoryStore(tmp_path / "interface"))
    states = submitted(tmp_path, dsn, REQUESTS)
    assert sum(states.values()) == REQUESTS
    assert set(states) <= {"held", "READY", "EXECUTING", "PLANNED", "OPEN", ""}
    assert len((tmp_path / "calls").read_text().splitlines()) == 1, "the engine was called once"
    assert len(open_authority(dsn).rows()) == 1
    lines = [line.split() for line in (tmp_path / "bus").read_text().splitlines()]
    published = [unpack(bytes.fromhex(value)) for _, value in lines]
    (ready,) = [record for name, record in published if name == "run_ready"]
    record = Record(DirectoryStore(tmp_path / "store"), CONFIG.scenario_run_id).read_on()
    kinds = Counter(event["event_kind"] for event in record.events)
    del kinds["LEASE_ACQUIRED"]
    assert set(kinds.values()) == {1}
    assert {"ENGINE_ATTEMPT_FINISHED", "READY_COMMITTED", "READY_PUBLISHED"} <= set(kinds)
    told = record.find("READY_PUBLISHED")
    assert told is not None
    assert told["details"]["message_id"] == ready["event_id"]
