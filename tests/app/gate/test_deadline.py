"""The header that shortens a deadline."""

from __future__ import annotations

import pytest

from assay.app.gate.deadline import DEADLINE_HEADER, deadline_ms_of
from assay.contracts.errors import Quarantine
from assay.contracts.limits import DEADLINE_MS_MAX, DEADLINE_MS_MIN
from assay.contracts.reasons import Reason


@pytest.mark.parametrize("given", [DEADLINE_MS_MIN, 11, 299, DEADLINE_MS_MAX])
def test_a_deadline_within_the_limits_is_taken(given: int) -> None:
    assert deadline_ms_of({DEADLINE_HEADER: str(given)}) == given


def test_without_the_header_it_is_the_largest() -> None:
    assert deadline_ms_of({}) == DEADLINE_MS_MAX


@pytest.mark.parametrize("given", ["", " ", "9", "301", "0", "-20", "+20", "20.0", "2e1", "0020", "٢٠", "20 ", "99999999999999999999"])
def test_any_other_is_refused_with_its_place(given: str) -> None:
    with pytest.raises(Quarantine) as refusal:
        deadline_ms_of({DEADLINE_HEADER: given})
    assert (refusal.value.reason, refusal.value.where) == (Reason.DEADLINE_INVALID, DEADLINE_HEADER)
