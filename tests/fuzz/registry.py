"""All targets, and how a campaign's inputs are dealt to them."""

from __future__ import annotations

from typing import Final

from fuzz import targets_codecs, targets_documents, targets_files, targets_gate, targets_lane, targets_states
from fuzz.engine import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for of_one_kind in (targets_codecs, targets_lane, targets_gate, targets_documents, targets_files, targets_states)
    for target in of_one_kind.TARGETS
}


def shares(inputs: int) -> dict[str, int]:
    """Inputs for each target, by its weight; together `inputs` at least."""
    whole = sum(target.weight for target in TARGETS.values())
    return {name: -(-inputs * target.weight // whole) for name, target in TARGETS.items()}
