"""Decision fabric: feature values in, one decision with its action intent out, under the posture in force.

Everything a decision says comes from the row, the state and the policy. Ids hash pins, policy and event, never an
offset, so an event that arrives twice is decided once in effect. The trigger is a payment that is live: neither a
duplicate nor refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay.agents.decision_record import Batchwide, Decided, DecisionWriter, FeatureSet, Stamp
from assay.agents.rule_plan import RulePlan
from assay.agents.rule_score import Scored, score
from assay.codecs.columns import I64, U8, Columns, Strings, rows
from assay.codecs.digests import sha256_fixed, sha256_rows
from assay.codecs.table_state import TableState
from assay.contracts import ids
from assay.contracts.outcomes import OUTCOMES, Outcome
from assay.contracts.pins import Pins
from assay.tables.posture import FAIL_SAFE_POSTURE, Posture
from assay.tables.row_kinds import PAYMENT, POSTURE

ALLOW, STEP_UP = OUTCOMES.index(Outcome.ALLOW), OUTCOMES.index(Outcome.STEP_UP)


class FeatureValues(Protocol):
    """Value matrices of a batch in document order: `longs` int64 (n, L), `doubles` float64 (n, D)."""

    @property
    def longs(self) -> I64:
        """int64 (n, L)."""

    @property
    def doubles(self) -> NDArray[np.float64]:
        """float64 (n, D)."""


class Decisions(NamedTuple):
    """m decisions. `rows` are their rows in the batch; `values` are decision_response records ready for the bus."""

    rows: I64
    decision_id: U8
    idempotency_key: U8
    action_id: U8
    outcome: NDArray[np.int8]
    score: I64
    fired: NDArray[np.uint64]
    keys: Strings
    values: Strings


class Decider:
    """State: the posture in force. One instance belongs to one lane."""

    def __init__(
        self, rule_plan: RulePlan, feature_set: FeatureSet, pins: Pins, bundle_ref: tuple[str, str], run_config_digest: bytes
    ) -> None:
        self.rules = rule_plan
        self.posture = FAIL_SAFE_POSTURE
        self._decision_prefix = ids.decision_id_prefix(pins.digest, rule_plan.digest)
        self._key_prefix = ids.idempotency_key_prefix(pins.digest)
        self._writer = DecisionWriter(rule_plan, feature_set, pins, bundle_ref, run_config_digest)

    def decide(self, columns: Columns, features: FeatureValues, live: NDArray[np.bool_], stamp: Stamp) -> Decisions:
        """Fold the posture records of a batch and decide its live payments, in row order."""
        kind = columns["kind"]
        assert isinstance(kind, np.ndarray)
        postures, in_force = self._fold_postures(columns, kind)
        apply = live & (kind == PAYMENT)
        chosen = np.flatnonzero(apply)
        amount = columns["amount_minor"]
        assert isinstance(amount, np.ndarray)
        whole = score(self.rules, features.longs, features.doubles, amount, apply)
        scored = Scored(whole.score[chosen], whole.outcome[chosen], whole.fired[chosen])
        scored = self._clamp(scored, postures, in_force[chosen])
        return self._decisions(columns, features, chosen, scored, Batchwide(stamp, postures, in_force[chosen]))

    def state(self) -> TableState:
        """The whole state as one value."""
        return self.posture.state()

    def restore(self, state: TableState) -> None:
        """Take a state that `state` gave."""
        self.posture = Posture.from_state(state)

    def _fold_postures(self, columns: Columns, kind: NDArray[np.int8]) -> tuple[list[Posture], I64]:
        """Postures in force during this batch, and for each row which of them."""
        postures = [self.posture]
        in_force = np.zeros(rows(columns), np.int64)
        at = np.flatnonzero(kind == POSTURE)
        if len(at):
            documents = columns["document"]
            assert isinstance(documents, Strings)
            for row in at.tolist():
                document = documents.row(row)
                assert document is not None
                postures.append(postures[-1].folded(document))
            in_force = np.cumsum(kind == POSTURE)
        self.posture = postures[-1]
        return postures, in_force

    def _clamp(self, scored: Scored, postures: Sequence[Posture], in_force: I64) -> Scored:
        """Turn ALLOW into STEP_UP where the posture says so, and note the posture's reasons in the fired set."""
        missing = np.array([posture.missing for posture in postures], np.bool_)[in_force]
        clamped = np.array([posture.clamps for posture in postures], np.bool_)[in_force] & (scored.outcome == ALLOW)
        bit = len(self.rules.codes)
        fired = scored.fired | (missing.astype(np.uint64) << np.uint64(bit)) | (clamped.astype(np.uint64) << np.uint64(bit + 1))
        return Scored(scored.score, np.where(clamped, np.int8(STEP_UP), scored.outcome), fired)

    def _decisions(self, columns: Columns, features: FeatureValues, chosen: I64, scored: Scored, batchwide: Batchwide) -> Decisions:
        event_id = columns["event_id"]
        assert isinstance(event_id, Strings)
        events = event_id.take(chosen)
        decision_id = sha256_rows(self._decision_prefix, events.data, events.starts, events.lengths)[:, :16]
        key = sha256_rows(self._key_prefix, events.data, events.starts, events.lengths)
        action_id = _action_ids(key, scored.outcome)
        decided = Decided(chosen, decision_id, key, action_id, scored)
        values = self._writer.write(columns, features.longs[chosen], features.doubles[chosen], decided, batchwide)
        return Decisions(chosen, decision_id, key, action_id, scored.outcome, scored.score, scored.fired, events, values)


def _action_ids(keys: U8, outcome: NDArray[np.int8]) -> U8:
    """sha256(tag, idempotency key, kind of action), first 16 bytes, one kind of action at a time."""
    action_id = np.zeros((len(outcome), 16), np.uint8)
    for level, kind in enumerate(OUTCOMES):
        at = np.flatnonzero(outcome == level)
        if len(at):
            tail = np.frombuffer(kind.encode(), np.uint8)
            joined = np.hstack([keys[at], np.broadcast_to(tail, (len(at), len(tail)))])
            action_id[at] = sha256_fixed(ids.ACTION_ID_TAG, joined)[:, :16]
    return action_id
