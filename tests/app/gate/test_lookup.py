"""What is asked of a look-up: one id, and nothing else."""

from __future__ import annotations

import pytest

from assay.app.gate.lookup import Asked, asked_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


@pytest.mark.parametrize("asked", [Asked("event_id", "e-1"), Asked("receipt_id", "r"), Asked("dedupe_key", "0f" * 32)])
def test_one_id_is_asked_for(asked: Asked) -> None:
    assert asked_of([asked]) == asked


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ([], "the query names nothing"),
        ([("event_id", "")], "the query names event_id"),
        ([("event_id", "a"), ("receipt_id", "b")], "the query names event_id, receipt_id"),
        ([("event_id", "a"), ("event_id", "b")], "the query names event_id"),
        ([("eventid", "a")], "the query names eventid"),
        ([("event_id", "a"), ("results", "all")], "the query names event_id, results"),
        ([("dedupe_key", "0f" * 31)], "64 hex digits"),
        ([("dedupe_key", "0F" * 32)], "64 hex digits"),
    ],
)
def test_anything_else_is_refused(query: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(Quarantine) as refused:
        asked_of(query)
    assert (refused.value.reason, told in refused.value.what) == (Reason.LOOKUP_INVALID, True)
    assert "/v1/ops/lookup?event_id=EVENT_ID" in refused.value.remedy
