"""Whatever can be derived is derived again from the records; runs that supersede each other know of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scenario_runs import request_for, runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.runner.documents import status_ref
from assay.app.runner.rebuild import Rebuilt, quarantine_of, quarantined, rebuild_index, run_ids
from assay.app.runner.record import Record, event_key
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason

GOOD, BAD = "7" * 32, "8" * 32


@pytest.fixture
def two_runs(tmp_path: Path) -> Runner:
    """A run that is READY, and one of the same world that was set aside after a part of it was damaged."""
    world = small_world(tmp_path)
    for run_id in (GOOD, BAD):
        config = config_of(world.manifest, scenario_run_id=run_id)
        runner = runner_over(config, sealed(world), KeptRecords(), NOW_US)
        runner.submit(request_for(config, run_equivalence_key=run_id))
        world.store.replace(f"{world.root}/{world.manifest.stream_view[0].key}", b"something else")
    return runner


def derived(runner: Runner) -> dict[str, bytes]:
    assert isinstance(runner.store, DirectoryStore)
    return {key: runner.store.read(key) for key in runner.store.keys("sr") if "/run_record/" not in key}


def test_an_index_that_is_whole_stays_as_it_is(two_runs: Runner) -> None:
    before, rows = derived(two_runs), two_runs.authority.rows()
    assert rebuild_index(two_runs.store, two_runs.authority) == Rebuilt(2, 0)
    assert (derived(two_runs), two_runs.authority.rows()) == (before, rows)


@pytest.mark.parametrize("damage", ["lost", "damaged", "of a later event"])
def test_a_lost_index_and_lost_statuses_are_made_again_and_are_equal(two_runs: Runner, tmp_path: Path, damage: str) -> None:
    store = two_runs.store
    assert isinstance(store, DirectoryStore)
    before, rows = derived(two_runs), two_runs.authority.rows()
    for key in (key for key in before if "/run_plan/" not in key and "/run_facts_view/" not in key and "/ready_signal/" not in key):
        if damage == "lost" or "/run_status/" not in key:
            store.remove(key)
        elif damage == "damaged":
            store.replace(key, b"{")
        else:
            store.replace(key, before[key].replace(b'"record_number":', b'"record_number":9'))
    authority = sqlite_authority(tmp_path / "new.db")
    assert rebuild_index(store, authority) == Rebuilt(2, 2)
    assert derived(two_runs) == before
    assert authority.rows() == rows
    for run_id in (GOOD, BAD):
        lease, highest = authority.acquire(run_id, "a", 1, NOW_US), Record(store, run_id).read_on().standing.fence
        assert lease is not None
        assert lease.fence == highest + 1


def test_a_damaged_record_is_named_and_not_made_up(two_runs: Runner) -> None:
    two_runs.store.replace(event_key(GOOD, 1), b"{")
    with pytest.raises(AssayError) as refused:
        rebuild_index(two_runs.store, two_runs.authority)
    assert refused.value.reason is Reason.RUN_RECORD_DAMAGED
    assert GOOD in refused.value.where


def test_what_was_set_aside_is_listed_and_shown_with_its_fault(two_runs: Runner) -> None:
    assert run_ids(two_runs.store) == [GOOD, BAD]
    notices = quarantined(two_runs.store)
    assert [notice["run_id"] for notice in notices] == [BAD]
    assert quarantine_of(two_runs.store, BAD) == notices[0]
    assert (notices[0]["reason"], "DIGEST_MISMATCH" in notices[0]["why"]) == ("EVIDENCE_CONFLICT", True)
    with pytest.raises(AssayError, match="RUN_MISSING"):
        quarantine_of(two_runs.store, GOOD)


def superseding(folder: Path, old: Runner, key: str = "corrected", **changes: Any) -> tuple[Any, Runner]:
    """A corrected world in a platform run of its own, whose request names the old run. Answer and runner."""
    world = small_world(folder)
    config = config_of(world.manifest, scenario_run_id="9" * 32, platform_run_id="platform_20260102T000000Z")
    runner = runner_over(config, sealed(world), KeptRecords(), NOW_US)
    document = {"run_equivalence_key": key, "supersedes_run_id": GOOD, "supersession_purpose": "CORRECTION", **changes}
    return runner.submit(request_for(config, **document), superseded=old.store), runner


def test_a_run_that_supersedes_another_and_the_other_know_of_each_other(two_runs: Runner, tmp_path: Path) -> None:
    before = two_runs.store.read(status_ref(GOOD))
    for _ in range(2):
        answer, new = superseding(tmp_path / "new", two_runs)
        assert answer.state == "READY"
    old_record, new_record = Record(two_runs.store, GOOD).read_on(), Record(new.store, "9" * 32).read_on()
    purpose = {"supersession_purpose": "CORRECTION"}
    told = [event["details"] for event in old_record.events if event["event_kind"] == "SUPERSEDED_BY"]
    assert told == [{"superseded_by_run_id": "9" * 32, **purpose}], "once, however often it is asked for"
    asked = [event["details"] for event in new_record.events if event["event_kind"] == "SUPERSEDES"]
    assert asked == [{"supersedes_run_id": GOOD, **purpose}]
    assert two_runs.store.read(status_ref(GOOD)) == before, "the old READY is not withdrawn"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"supersedes_run_id": "0" * 32}, Reason.RUN_MISSING), ({"supersedes_run_id": "9" * 32}, Reason.SUPERSEDES_ITSELF)],
)
def test_what_cannot_be_superseded_is_refused_and_nothing_is_written(
    two_runs: Runner, tmp_path: Path, changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(AssayError) as refused:
        superseding(tmp_path / "new", two_runs, **changes)
    assert refused.value.reason is reason
    assert not (tmp_path / "new" / "store" / "sr").exists()
