"""The posture in force: a fold of posture records in processing order.

The record with the highest `posture_seq` stands; one that is not higher changes nothing, so a redelivered or overtaken
record cannot loosen what a later one tightened. Before the first record the fail-safe mode of the ladder is in force.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from assay.codecs.table_state import TableState
from assay.contracts.posture import FAIL_SAFE, MASKS, Mask

TRUSTED, MISSING = "TRUSTED", "MISSING"


class Posture(NamedTuple):
    """Mode and mask in force, and where they come from. `trust` is MISSING while no record was folded."""

    mode: str
    posture_seq: int
    policy_rev: str
    mask: Mask
    trust: str = TRUSTED

    @property
    def clamps(self) -> bool:
        """True if a payment may not pass without a further check."""
        return self.mask.action_posture != "NORMAL"

    @property
    def missing(self) -> bool:
        """True before the first posture record."""
        return self.trust == MISSING

    def folded(self, document: bytes) -> Posture:
        """The posture after one record, given as its canonical JSON."""
        record = json.loads(document)
        if not self.missing and record["posture_seq"] <= self.posture_seq:
            return self
        mask = {name: record[name] for name in Mask._fields}
        mask["allowed_feature_groups"] = tuple(mask["allowed_feature_groups"])
        return Posture(record["mode"], record["posture_seq"], record["policy_rev"], Mask(**mask))

    def state(self) -> TableState:
        """The posture as one value of a lane's state."""
        return TableState({**self._asdict(), "mask": self.mask.as_json()})

    @classmethod
    def from_state(cls, state: TableState) -> Posture:
        """The inverse of `state`."""
        mask = {**state.header["mask"], "allowed_feature_groups": tuple(state.header["mask"]["allowed_feature_groups"])}
        return cls(**{**state.header, "mask": Mask(**mask)})


#: in force until the first posture record
FAIL_SAFE_POSTURE = Posture(FAIL_SAFE.value, 0, "", MASKS[FAIL_SAFE], MISSING)
