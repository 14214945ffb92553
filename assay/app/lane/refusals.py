"""Refusals of a lane's driver: each ends the lane before it emits anything more."""

from __future__ import annotations

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def landed_elsewhere(lane: str, sequence: int, offset: int, expected: int) -> Stop:
    """A journal record that is not where its writer expected it."""
    return Stop(
        Reason.JOURNAL_OFFSET_UNEXPECTED,
        f"lane {lane}: journal record {sequence} landed at offset {offset}, expected {expected}",
        remedy="Another worker writes this journal. This one stops before it emits anything.",
    )


def no_effector(lane: str, sequence: int) -> Stop:
    """Effects in a lane whose ports have nobody to execute them."""
    return Stop(
        Reason.EFFECTOR_MISSING,
        f"lane {lane}: journal record {sequence} asks for effects, and no effector is wired",
        remedy="Name the effector in the LaneSpec of the lane; nothing is committed until the effects are done.",
    )
