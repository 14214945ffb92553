"""Everything in a decision that is computed from its row: outcome, reasons, ids, and the body and hash of its feature values."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.decide_kernel import ID_BYTES, JOINED_BYTES, SHA_BYTES, choose, decide
from assay.agents.decision_policy import DecisionPolicy
from assay.codecs.columns import I64, U8, Columns, Ragged, Strings, settled_columns, settled_strings, take
from assay.codecs.digests import Midstate, Workspace, midstate
from assay.codecs.kernel import frozen
from assay.contracts import ids
from assay.contracts.outcomes import OUTCOMES, POSTURE_CLAMPED, POSTURE_MISSING
from assay.contracts.pins import Pins
from assay.tables.growth import grown

_POSTURE_CODES: Final = Strings.of([POSTURE_MISSING, POSTURE_CLAMPED])
#: longest kind of an action
assert max(map(len, OUTCOMES)) + SHA_BYTES <= JOINED_BYTES


class DecidedRows(NamedTuple):
    """m decided rows: their numbers in the batch int64 (m,), their columns, and what was decided.

    Ids are uint8 (m, 16), hashes and keys uint8 (m, 32). `features` are Avro bodies.
    """

    rows: I64
    columns: Columns
    outcome: Strings
    reasons: Ragged
    features: Strings
    decision_id: U8
    idempotency_key: U8
    action_id: U8
    snapshot_hash: U8


class RowDecider:
    """Decides rows of one run under one policy. It belongs to one thread: its working memory is kept."""

    def __init__(self, policy: DecisionPolicy, pins: Pins, feature_digest: bytes) -> None:
        self._thresholds = frozen(policy.thresholds, np.int64), frozen(policy.outcomes, np.int8)
        self._outcomes = settled_strings(Strings.of(OUTCOMES))  # locked from the start: the kernel meets one type
        prefixes = ids.decision_id_prefix(pins.digest, policy.digest), ids.idempotency_key_prefix(pins.digest), ids.ACTION_ID_TAG
        self._prefixes: tuple[Midstate, ...] = tuple(midstate(prefix) for prefix in (*prefixes, feature_digest))
        self._longest_prefix = max(len(prefix) for prefix in (*prefixes, feature_digest))
        self._workspace = Workspace()
        self._digests = np.zeros((0, SHA_BYTES), np.uint8)
        self._codes: tuple[U8, U8, Any] = np.zeros(0, np.uint8), np.zeros(0, np.uint8), ()

    def decide(self, columns: Columns, live: NDArray[np.bool_]) -> DecidedRows | None:
        """The decisions about the live payments of a batch, None if it has none. `columns` are settled (see `columns.settled`)."""
        events, rows = columns["event_id"], np.empty(len(live), np.int64)
        assert isinstance(events, Strings)
        m, longest = choose(columns["kind"], live, events.lengths, rows)
        if not m:
            return None
        if m < len(live):
            rows = rows[:m]
            columns = settled_columns(take(columns, rows))
        return self._decided(rows, columns, longest)

    def _decided(self, rows: I64, columns: Columns, longest: int) -> DecidedRows:
        m, reasons, events = len(rows), columns["reasons"], columns["event_id"]
        assert isinstance(reasons, Ragged)
        assert isinstance(events, Strings)
        longs, doubles = np.asarray(columns["features.longs"]), np.asarray(columns["features.doubles"])
        row_bytes = 22 + 10 * longs.shape[1] + 8 * doubles.shape[1]
        codes, policy = self._policy(reasons.children["item"])
        outcome = np.empty(m, np.int64), np.empty(m, np.int32)
        listed = int(reasons.offsets[-1]) + 2 * m
        coded = np.empty(m + 1, np.int64), np.empty(listed, np.int64), np.empty(listed, np.int32)
        features = np.empty(m * row_bytes, np.uint8), np.empty(m, np.int64), np.empty(m, np.int32)
        made = [np.empty((m, size), np.uint8) for size in (ID_BYTES, SHA_BYTES, ID_BYTES, SHA_BYTES)]
        decide(
            policy,
            (columns["score"], columns["posture.clamps"], columns["posture.missing"]),
            (reasons.offsets, *reasons.children["item"][1:]),
            tuple(events),
            (longs, doubles.view(np.int64)),
            self._prefixes,
            self._room(m, max(longest, row_bytes, JOINED_BYTES)),
            (outcome, coded, features),
            tuple(made),
        )
        kept = int(coded[0][-1])
        given = Ragged(coded[0], {"item": Strings(codes, coded[1][:kept], coded[2][:kept])})
        return DecidedRows(rows, columns, Strings(self._outcomes.data, *outcome), given, Strings(*features), *made)

    def _room(self, m: int, longest: int) -> tuple[Any, ...]:
        """Working memory for m rows, the longest of so many bytes."""
        if m > len(self._digests):
            self._digests = grown(self._digests, m)
            size = len(self._digests)
            self._joined = np.zeros(size * JOINED_BYTES, np.uint8), np.zeros(size, np.int64), np.zeros(size, np.int32)
            self._nothing = frozen(np.zeros((size, 0), np.uint8), np.uint8)
        joined, starts, lengths = self._joined
        return self._digests, joined, starts[:m], lengths[:m], self._nothing, self._workspace.of(self._longest_prefix + longest)

    def _policy(self, items: Strings) -> tuple[U8, Any]:
        """The bytes of all codes, those of the scorer first, and what the kernel is told of the policy."""
        of, codes, policy = self._codes
        if of is not items.data or not len(policy):
            codes = frozen(np.concatenate((items.data, _POSTURE_CODES.data)), np.uint8)
            policy = (
                *self._thresholds, *self._outcomes, _POSTURE_CODES.starts + len(items.data), _POSTURE_CODES.lengths,
            )  # fmt: skip
            self._codes = items.data, codes, policy
        return codes, policy
