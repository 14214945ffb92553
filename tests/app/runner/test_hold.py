"""Who holds a run no longer writes no document of it, not even one that nobody else has written."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles.examples import examples
from scenario_runs import sqlite_authority

from assay.app.runner.documents import PLAN, read_kept
from assay.app.runner.hold import TTL_US, Hold
from assay.app.runner.record import Record
from assay.app.stores.objects import DirectoryStore
from assay.app.telemetry import Telemetry
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

RUN = "2b88459257839f87c28f07cd3522edd7"
DOCUMENT = next(one.value for one in examples("sr_run_plan") if one.reason is None)


def held(folder: Path, owner: str, now_us: int) -> Hold:
    store, authority = DirectoryStore(folder / "store"), sqlite_authority(folder / "authority.db")
    lease = authority.acquire(RUN, owner, TTL_US, now_us)
    assert lease is not None
    hold = Hold(store, authority, lease, Record(store, RUN), lambda: now_us, Telemetry(()))
    hold.take()
    return hold


def test_a_holder_that_was_overtaken_writes_no_document(tmp_path: Path) -> None:
    first = held(tmp_path, "first", 1)
    held(tmp_path, "second", 1 + TTL_US)
    with pytest.raises(Stop) as refused:
        first.write(PLAN, DOCUMENT)
    assert refused.value.reason is Reason.LEASE_LOST
    assert read_kept(DirectoryStore(tmp_path / "store"), PLAN, RUN) is None
