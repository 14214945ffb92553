"""Planted poison is refused for the reason it is planted with, whatever lies in the partition."""

from __future__ import annotations

from random import Random

import pytest
from records import LABELS, T0_US, TRAFFIC, label, payment

from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.poison import Planter
from assay.contracts.reasons import Reason

PAYMENT = payment("e1", T0_US)


@pytest.mark.parametrize(
    ("handle", "value", "reason"),
    [
        (TRAFFIC, PAYMENT, Reason.BYTES_TRUNCATED),
        (LABELS, label("l1", T0_US, "e1", T0_US), Reason.BYTES_TRUNCATED),
        (LABELS, PAYMENT, Reason.SCHEMA_UNKNOWN),
    ],
)
def test_only_a_record_that_the_topic_carries_is_cut_short(handle: str, value: bytes, reason: Reason) -> None:
    """Another one is refused for its type, which its header tells."""
    log = ModelLog()
    log.append((handle, 0), LoggedRecord(b"", value, 0))
    planter = Planter(log, Random(1))
    planter.plant("truncated", [(handle, 0)])
    assert [found.reason for found in planter.planted] == [reason]
