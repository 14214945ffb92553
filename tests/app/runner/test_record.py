"""The record is one sequence of events, whoever writes it; status and documents follow from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.examples import examples

from assay.app.runner.documents import (
    FACTS_VIEW,
    PLAN,
    QUARANTINE,
    READY_SIGNAL,
    TERMINAL_SIGNAL,
    Kind,
    read_kept,
    read_status,
    status_ref,
    write_once,
    write_status,
)
from assay.app.runner.record import Record, event_id, event_key
from assay.app.stores.objects import DirectoryStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

RUN = "2b88459257839f87c28f07cd3522edd7"
DRIFTS = {
    PLAN: Reason.PLAN_DRIFT,
    FACTS_VIEW: Reason.FACTS_VIEW_DRIFT,
    READY_SIGNAL: Reason.READY_SIGNAL_DRIFT,
    TERMINAL_SIGNAL: Reason.TERMINAL_SIGNAL_DRIFT,
    QUARANTINE: Reason.QUARANTINE_DRIFT,
}
KINDS = tuple(DRIFTS)
EXAMPLES = {kind.folder: next(one.value for one in examples(kind.schema.split(".")[0]) if one.reason is None) for kind in KINDS}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def kinds(store: DirectoryStore) -> list[tuple[str, int]]:
    """Kind and fence of each event."""
    return [(event["event_kind"], event["fence"]) for event in Record(store, RUN).read_on().events]


def test_an_event_is_recorded_once_whatever_the_time(store: DirectoryStore) -> None:
    record = Record(store, RUN)
    first = record.append("RUN_ACCEPTED", {"a": "1"}, 1)
    assert record.append("RUN_ACCEPTED", {"a": "1"}, 2) == first == event_id("RUN_ACCEPTED", RUN, {"a": "1"})
    assert Record(store, RUN).read_on().append("RUN_ACCEPTED", {"a": "1"}, 3) == first
    record.append("NOTE", {"a": "2"}, 3)
    assert kinds(store) == [("RUN_ACCEPTED", 0), ("NOTE", 0)]


class RacedStore(DirectoryStore):
    """A store in which other processes record these events, one just before each of our writes."""

    def __init__(self, root: Path, others: list[str]) -> None:
        super().__init__(root)
        self.others = others

    def create(self, key: str, data: bytes) -> None:
        if self.others:
            Record(DirectoryStore(self.root), RUN).read_on().append("NOTE", {"a": self.others.pop(0)}, 1)
        super().create(key, data)


@pytest.mark.parametrize(
    ("others", "recorded"), [(["1"], ["1"]), (["2"], ["2", "1"]), (["2", "3"], ["2", "3", "1"]), (["2", "1"], ["2", "1"])]
)
def test_an_event_that_another_process_records_meanwhile_is_not_recorded_again(
    tmp_path: Path, others: list[str], recorded: list[str]
) -> None:
    record = Record(RacedStore(tmp_path, others), RUN)
    first = record.append("NOTE", {"a": "1"}, 2)
    assert [event["details"]["a"] for event in Record(DirectoryStore(tmp_path), RUN).read_on().events] == recorded
    assert [event["event_id"] for event in record.events].count(first) == 1


def test_a_holder_that_was_overtaken_writes_nothing(store: DirectoryStore) -> None:
    first, second = Record(store, RUN), Record(store, RUN)
    first.append("LEASE_ACQUIRED", {"fence": 1}, 1, 1)
    second.read_on().append("LEASE_ACQUIRED", {"fence": 2}, 2, 2)
    for attempt in (("RUN_ACCEPTED", {}), ("LEASE_ACQUIRED", {"fence": 1, "again": True})):
        with pytest.raises(Stop) as refused:
            first.append(*attempt, 3, 1)
        assert refused.value.reason is Reason.LEASE_LOST
    second.append("RUN_ACCEPTED", {}, 4, 2)
    assert kinds(store) == [("LEASE_ACQUIRED", 1), ("LEASE_ACQUIRED", 2), ("RUN_ACCEPTED", 2)]


def test_a_note_takes_the_fence_that_it_finds_and_disturbs_no_holder(store: DirectoryStore) -> None:
    holder, other = Record(store, RUN), Record(store, RUN)
    holder.append("LEASE_ACQUIRED", {"fence": 7}, 1, 7)
    other.append("REEMIT_REQUESTED", {}, 2)
    holder.append("RUN_ACCEPTED", {}, 3, 7)
    assert kinds(store) == [("LEASE_ACQUIRED", 7), ("REEMIT_REQUESTED", 7), ("RUN_ACCEPTED", 7)]


def test_a_forbidden_move_is_refused_before_it_is_written(store: DirectoryStore) -> None:
    record = Record(store, RUN)
    with pytest.raises(Stop, match="RUN_STATE_FORBIDDEN"):
        record.append("READY_COMMITTED", {}, 1)
    assert kinds(store) == []


def test_an_event_that_is_not_of_its_schema_is_refused_before_it_is_written(store: DirectoryStore) -> None:
    with pytest.raises(AssayError, match="SCHEMA_FAIL"):
        Record(store, RUN).append("small letters", {}, 1)
    assert kinds(store) == []


def _event(number: int = 1, fence: Any = 1, **changes: Any) -> bytes:
    details: dict[str, Any] = {"n": number}
    event = {
        "event_id": event_id("NOTE", RUN, details),
        "event_kind": "NOTE",
        "run_id": RUN,
        "ts_utc": "2026-01-01T00:00:00.000000Z",
        "number": number,
        "fence": fence,
        "details": details,
        **changes,
    }
    return canonical(event) + b"\n"


DAMAGED = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no text": b"\xff",
    "deep": b"[" * 5_000,
    "no field": b"{}\n",
    "another form": _event().replace(b",", b", "),
    "another id": _event(event_id="c" * 64),
    "another run": _event(run_id="5" * 32),
    "another number": _event(2),
    "a lower fence": _event(fence=0),
    "a higher fence of nobody": _event(fence=2),
    "a fence of text": _event(fence="1"),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_refused_and_nothing_follows_it(store: DirectoryStore, data: bytes) -> None:
    Record(store, RUN).append("LEASE_ACQUIRED", {"fence": 1}, 1, 1)
    store.replace(event_key(RUN, 1), data)
    for act in (lambda: Record(store, RUN).read_on(), lambda: Record(store, RUN).append("NOTE", {}, 1)):
        with pytest.raises(Stop) as refused:
            act()
        assert refused.value.reason is Reason.RUN_RECORD_DAMAGED


def test_what_stands_in_the_damaged_place_would_be_taken_when_it_is_whole(store: DirectoryStore) -> None:
    Record(store, RUN).append("LEASE_ACQUIRED", {"fence": 1}, 1, 1)
    store.replace(event_key(RUN, 1), _event())
    assert kinds(store) == [("LEASE_ACQUIRED", 1), ("NOTE", 1)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_a_document_is_written_once_and_another_is_drift(store: DirectoryStore, kind: Kind) -> None:
    value = EXAMPLES[kind.folder]
    write_once(store, kind, RUN, value)
    write_once(store, kind, RUN, value)
    changed = {READY_SIGNAL: "bundle_hash", TERMINAL_SIGNAL: "reemit_key", QUARANTINE: "why"}.get(kind, "plan_hash")
    other = {**value, changed: "e" * 64}
    with pytest.raises(Stop) as refused:
        write_once(store, kind, RUN, other)
    assert refused.value.reason is DRIFTS[kind]
    assert read_kept(store, kind, RUN) == value


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_a_document_that_is_not_of_its_schema_is_neither_written_nor_read(store: DirectoryStore, kind: Kind) -> None:
    with pytest.raises(AssayError, match="SCHEMA_FAIL"):
        write_once(store, kind, RUN, {**EXAMPLES[kind.folder], "latest": True})
    assert read_kept(store, kind, RUN) is None
    for data in (b"{", b"{}"):
        store.replace(kind.key(RUN), data)
        with pytest.raises(Stop) as refused:
            read_kept(store, kind, RUN)
        assert refused.value.reason is Reason.RUN_RECORD_DAMAGED


def test_a_status_never_goes_back_and_a_damaged_one_is_written_again(store: DirectoryStore) -> None:
    record = Record(store, RUN)
    record.append("RUN_ACCEPTED", {}, 1)
    before = record.standing
    record.append("PLAN_COMMITTED", {}, 2)
    write_status(store, RUN, record.standing)
    written = store.read(status_ref(RUN))
    write_status(store, RUN, before)
    assert store.read(status_ref(RUN)) == written, "a writer that slept"
    for damaged in (b"", b"[]", b"\xff", b"[" * 5_000, b"{}", b'{"record_number":9}'):
        store.replace(status_ref(RUN), damaged)
        assert read_status(store, RUN) is None
        write_status(store, RUN, record.standing)
        assert store.read(status_ref(RUN)) == written
    assert json.loads(written)["state"] == "PLANNED"
