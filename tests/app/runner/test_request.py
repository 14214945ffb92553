"""A request is one intent however it is written, and a key names one run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.examples import examples

from assay.app.runner.request import read_request
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason

DOCUMENTS = {one.name: one.value for one in examples("sr_run_request") if one.reason is None}
ONE, SET = DOCUMENTS["one_scenario"], DOCUMENTS["a_set_of_scenarios"]
NAMES = st.text("ab-_c ", min_size=1, max_size=4).filter(lambda text: text == text.strip())
OFFSETS = st.integers(-23 * 60, 23 * 60)


def written(instant: datetime, offset_minutes: int) -> str:
    """The same instant as a clock at another offset shows it."""
    return instant.astimezone(timezone(timedelta(minutes=offset_minutes))).isoformat()


@settings(max_examples=40)
@given(st.sets(NAMES, min_size=1, max_size=5), st.randoms(), st.sampled_from(["", " ", "\n\t"]))
def test_order_repetition_and_blanks_of_a_set_do_not_matter(names: set[str], shuffled: Any, blanks: str) -> None:
    listed = [f"{blanks}{name}{blanks}" for name in [*names, *sorted(names)[:1]]]
    shuffled.shuffle(listed)
    one, other = ({**ONE, "scenario": {"scenario_set": given}} for given in (sorted(names), listed))
    assert read_request(one) == read_request(other)
    assert read_request(one).scenario_id.startswith("scnset_")


@settings(max_examples=40)
@given(st.integers(0, 2**31), OFFSETS, OFFSETS)
def test_the_same_instant_at_another_offset_is_the_same_intent(start_s: int, first: int, second: int) -> None:
    start = datetime.fromtimestamp(start_s, UTC)
    end, offsets = start + timedelta(hours=1), ((first, second), (second, 0))
    windows = [{"window_start_utc": written(start, one), "window_end_utc": written(end, two)} for one, two in offsets]
    one, other = (read_request({**ONE, "window": window}) for window in windows)
    assert (one.run_id, one.intent_fingerprint) == (other.run_id, other.intent_fingerprint)


@pytest.mark.parametrize(
    "changed",
    [
        {"manifest_fingerprint": "c" * 64},
        {"parameter_hash": "c" * 64},
        {"seed": 43},
        {"scenario": {"scenario_id": "other"}},
        {"scenario": {"scenario_set": ["baseline_v1"]}},
        {"window": {**ONE["window"], "window_end_utc": "2026-01-03T00:00:00Z"}},
        {"window": {**ONE["window"], "window_tz": "Europe/Berlin"}},
        {"supersedes_run_id": "5" * 32, "supersession_purpose": "CORRECTION"},
    ],
    ids="+".join,
)
def test_another_intent_has_another_fingerprint_and_the_key_still_names_the_run(changed: Mapping[str, Any]) -> None:
    before, after = read_request(ONE), read_request({**ONE, **changed})
    assert before.run_id == after.run_id
    assert before.intent_fingerprint != after.intent_fingerprint


@pytest.mark.parametrize(
    "changed",
    [
        {"output_ids": ["b", "a"]},
        {"requested_strategy": "FORCE_INVOKE"},
        {"engine_run_root": "elsewhere"},
        {"invoker": "me"},
        {"notes": "n"},
    ],
    ids="+".join,
)
def test_how_and_by_whom_is_no_part_of_the_intent(changed: Mapping[str, Any]) -> None:
    assert read_request(ONE).intent_fingerprint == read_request({**ONE, **changed}).intent_fingerprint


def test_golden_run() -> None:
    """The key of the reference names the run of the reference."""
    assert read_request(ONE).run_id == "2b88459257839f87c28f07cd3522edd7"
    assert read_request({**ONE, "scenario": {"scenario_set": ["stress", "baseline"]}}).scenario_id == "scnset_9b4791e078cca7c9"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        *((one.value, one.reason) for one in examples("sr_run_request") if one.reason is not None),
        ([], Reason.SCHEMA_FAIL),
        ({**ONE, "run_equivalence_key": "  "}, Reason.SCHEMA_FAIL),
        ({**ONE, "window": dict.fromkeys(ONE["window"], "2026-01-01T00:00:00Z")}, Reason.INVALID_WINDOW),
        (
            {**ONE, "window": {"window_start_utc": "2026-01-01T00:00:00+01:00", "window_end_utc": "2025-12-31T22:30:00Z"}},
            Reason.INVALID_WINDOW,
        ),
        ({**ONE, "window": {**ONE["window"], "window_start_utc": "2026-02-30T00:00:00Z"}}, Reason.TIME_INVALID),
    ],
)
def test_refused(document: Any, reason: Reason) -> None:
    with pytest.raises(AssayError) as refused:
        read_request(document)
    assert refused.value.reason is reason
