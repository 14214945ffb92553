"""The rows of a READY: how it may go on, what ends it, and that lanes have rows of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamed_banks import FACTS_REF, PINS

from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.lanes import ALONE, Lane
from assay.app.streamer.ready_ledger import ReadyLedger, ReadyState, ledger_key, message_id_of
from assay.contracts.errors import AssayError
from assay.contracts.json_schema import schema
from assay.contracts.reasons import Reason

READY = {"message_id": b"m" * 32, "pins": PINS.as_avro(), "bundle_hash": b"b" * 32, "facts_view_ref": FACTS_REF}
MESSAGE = message_id_of(READY)
STREAMED, DUPLICATE, OUT, DEFERRED, FAILED = ReadyState
FIGURES: dict[str, Any] = {"rows": {"s3_event_stream_with_fraud_6B": 3}, "counts": {"ADMIT": 3}, "retries": 0}
TOLD: dict[ReadyState, dict[str, Any]] = {
    STREAMED: FIGURES,
    DUPLICATE: {},
    OUT: {"reason": Reason.PLATFORM_RUN_SCOPE_MISMATCH.name, "why": "another run"},
    DEFERRED: {"reason": Reason.LANE_NOT_ACTIVE.name, "why": "no worker"},
    FAILED: {"reason": Reason.GATE_REJECTED.name, "why": "no"},
}
#: rows that are there → states that may follow; the state itself without a new row where it is the end
CASES: list[tuple[tuple[ReadyState, ...], set[ReadyState]]] = [
    ((), {STREAMED, OUT, DEFERRED, FAILED}),
    ((FAILED,), {STREAMED, OUT, DEFERRED, FAILED}),
    ((DEFERRED,), {STREAMED, OUT, DEFERRED, FAILED}),
    ((DEFERRED, FAILED, DEFERRED), {STREAMED, OUT, DEFERRED, FAILED}),
    ((STREAMED,), {STREAMED}),
    ((FAILED, STREAMED), {STREAMED}),
    ((OUT,), {OUT}),
]


def _ledger(folder: Path, lane: Lane = ALONE) -> ReadyLedger:
    return ReadyLedger(DirectoryStore(folder), lane, lambda: 1_767_225_600_000_000)


def _noted(ledger: ReadyLedger, state: ReadyState) -> bool:
    return ledger.note(READY, state, **TOLD[state])


@pytest.mark.parametrize("state", ReadyState)
@pytest.mark.parametrize(("before", "allowed"), CASES)
def test_what_may_follow_in_a_ledger(tmp_path: Path, before: tuple[ReadyState, ...], allowed: set[ReadyState], state: ReadyState) -> None:
    ledger = _ledger(tmp_path)
    for one in before:
        assert _noted(ledger, one)
    if state in allowed:
        assert _noted(ledger, state) == (state not in before or state in (FAILED, DEFERRED))
        assert ledger.state(MESSAGE) is state
        return
    with pytest.raises(AssayError) as refused:
        _noted(ledger, state)
    assert refused.value.reason is Reason.RUN_STATE_FORBIDDEN
    assert len(ledger.rows(MESSAGE)) == len(before)


def test_the_states_that_have_rows_are_those_of_the_schema() -> None:
    assert {*schema("wsp_ready_run.v1")["properties"]["state"]["enum"]} == {*map(str, ReadyState)} - {str(DUPLICATE)}


def test_a_row_says_whose_it_is_and_lies_under_the_id_of_its_message(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path, Lane(1, 2))
    _noted(ledger, STREAMED)
    assert list(DirectoryStore(tmp_path).keys("")) == [ledger_key(MESSAGE)] == [f"wsp/ready_runs/{'6d' * 32}.jsonl"]
    assert ledger.rows(MESSAGE) == [
        {
            "message_id": "6d" * 32,
            "platform_run_id": PINS.platform_run_id,
            "run_id": PINS.scenario_run_id,
            "bundle_hash": "62" * 32,
            "facts_view_ref": FACTS_REF,
            "lane": 1,
            "lanes": 2,
            "state": "STREAMED",
            "ts_utc": "2026-01-01T00:00:00.000000Z",
            **FIGURES,
        }
    ]


def test_each_lane_goes_by_its_own_rows_until_all_lanes_have_streamed(tmp_path: Path) -> None:
    one, two = (_ledger(tmp_path, Lane(number, 2)) for number in range(2))
    _noted(one, STREAMED)
    assert (one.state(MESSAGE), two.state(MESSAGE), _ledger(tmp_path).state(MESSAGE)) == (STREAMED, None, None)
    _noted(two, FAILED)
    assert (one.state(MESSAGE), two.state(MESSAGE)) == (STREAMED, FAILED)
    _noted(two, STREAMED)
    assert _ledger(tmp_path).state(MESSAGE) is STREAMED, "whatever number of lanes asks"
    assert _ledger(tmp_path, Lane(4, 7)).state(MESSAGE) is STREAMED


def test_a_ready_that_is_out_of_scope_is_so_for_every_lane(tmp_path: Path) -> None:
    assert _noted(_ledger(tmp_path, Lane(0, 2)), OUT)
    assert not _noted(_ledger(tmp_path, Lane(1, 2)), OUT)
