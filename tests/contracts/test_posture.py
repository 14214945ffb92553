"""The degrade ladder."""

from __future__ import annotations

from assay.contracts.avro_schemas import current
from assay.contracts.posture import FAIL_SAFE, MASKS, Mode


def test_each_rung_permits_no_more_than_the_one_above() -> None:
    """Down the ladder, capabilities only go away."""
    for above, below in zip(Mode, list(Mode)[1:], strict=False):
        high, low = MASKS[above], MASKS[below]
        assert set(low.allowed_feature_groups) <= set(high.allowed_feature_groups)
        assert all(bool(high[i]) >= bool(low[i]) for i in (0, 2, 3, 4))
        assert low.action_posture == "STEP_UP_ONLY"


def test_the_fail_safe_is_the_lowest_rung() -> None:
    """What is in force when nothing can be read."""
    assert FAIL_SAFE is list(Mode)[-1]


def test_a_mask_has_the_fields_of_a_posture_record() -> None:
    """One spelling on the bus and here."""
    names = [field["name"] for field in current()["posture"]["fields"]]
    for mask in MASKS.values():
        assert set(mask.as_json()) < set(names)
