"""The degrade ladder as data: four modes and what each still permits."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple


class Mode(StrEnum):
    """Rungs from healthy to closed, in order."""

    NORMAL = "NORMAL"
    DEGRADED_1 = "DEGRADED_1"
    DEGRADED_2 = "DEGRADED_2"
    FAIL_CLOSED = "FAIL_CLOSED"


class Mask(NamedTuple):
    """Capabilities of a mode. `action_posture` STEP_UP_ONLY forbids the outcome ALLOW."""

    allow_ieg: bool
    allowed_feature_groups: tuple[str, ...]
    allow_model_primary: bool
    allow_model_stage2: bool
    allow_fallback_heuristics: bool
    action_posture: str

    def as_json(self) -> dict[str, Any]:
        """The mask under the field names of a posture record."""
        return {**self._asdict(), "allowed_feature_groups": list(self.allowed_feature_groups)}


MASKS: Final[dict[Mode, Mask]] = {
    Mode.NORMAL: Mask(True, ("core_features", "velocity", "entity_graph"), True, True, True, "NORMAL"),
    Mode.DEGRADED_1: Mask(True, ("core_features", "velocity"), True, False, True, "STEP_UP_ONLY"),
    Mode.DEGRADED_2: Mask(False, ("core_features",), True, False, True, "STEP_UP_ONLY"),
    Mode.FAIL_CLOSED: Mask(False, (), False, False, True, "STEP_UP_ONLY"),
}

#: in force until the first posture record, and whenever none can be read
FAIL_SAFE: Final = Mode.FAIL_CLOSED
