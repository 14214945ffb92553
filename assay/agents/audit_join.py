"""The join of decisions and outcomes: batches in, pairs out, no Python object per record.

A decision is remembered by its action id, so that the same bytes again are a repeat and its outcome finds it. Bodies of
decisions wait in the blocks they came in; a block is let go when all of it is paired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.agents.step import Chunk
from assay.codecs.avro_decode import decode
from assay.codecs.column_match import same_bytes
from assay.codecs.columns import I64, U8, Columns, Strings, concat
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import HEADER_BYTES, plan_of, type_index
from assay.tables.dedupe import NEW, SeenIds
from assay.tables.row_kinds import LABEL, PAYMENT

#: event time plays no part here: an action may lag as long as it likes, only the number of rows is bounded
ANY_TIME_US = 2**60
#: texts that the action lane reads too, so that both take the same bytes for unreadable
DECISION = frozenset({"intent.action_id", "intent.action_kind", "source_event.event_id", "pins.platform_run_id"})
OUTCOME = frozenset({"action_id", "source_event_id"})


class Joined(NamedTuple):
    """What a chunk gave: pairs (`decision`, `outcome` bodies, `sha256` of the decision, offsets and place numbers of both),
    offsets that need no segment of their own (repeats, records for others), and outcomes of no known decision.
    """

    pairs: Columns | None
    passed: I64
    orphans: I64


@dataclass
class _Block:
    """Decisions of one chunk, by ascending ordinal."""

    ordinals: I64
    offsets: I64
    place: int
    bodies: Strings
    sha256: U8
    waiting: NDArray[np.bool_] = field(init=False)
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = len(self.ordinals)
        self.waiting = np.ones(self.left, np.bool_)


class AuditJoin:
    """Decisions that wait for their outcome, and which decisions the last `rows_max` were."""

    def __init__(self, rows_max: int, pins: bytes) -> None:
        self._pins = np.frombuffer(pins, np.uint8)
        self._seen = SeenIds(ANY_TIME_US, rows_max)
        self._blocks: list[_Block] = []

    @property
    def waiting(self) -> int:
        """Decisions whose outcome has not come."""
        return sum(block.left for block in self._blocks)

    def take(self, chunk: Chunk, types: NDArray[np.int32], place: int) -> Joined:
        """Join the records of a chunk, in order. `place` is the number of its partition."""
        rows, ids, bodies, sha256, is_decision = _read(chunk, types, self._pins)
        offsets = chunk.offsets[rows]
        seen = self._seen.fold(_as_rows(ids, sha256, is_decision))
        new = np.flatnonzero(is_decision & (seen.verdicts == NEW))
        if len(new):
            self._blocks.append(_Block(seen.ordinals[new], offsets[new], place, bodies.take(new).compact(), sha256[new]))
        outcomes = np.flatnonzero(~is_decision)
        known = outcomes[seen.subjects[outcomes] >= 0]
        paired, parts = self._pair(seen.subjects[known], known)
        pairs = _together(parts, bodies, offsets, place) if parts else None
        orphans = offsets[outcomes[seen.subjects[outcomes] < 0]]
        kept = np.concatenate([offsets[new], offsets[paired], orphans])
        return Joined(pairs, np.setdiff1d(chunk.offsets, kept, assume_unique=True), orphans)

    def remember(self, action_ids: U8, sha256: U8) -> None:
        """Decisions that a segment holds: they and their outcomes are repeats from now on."""
        self._seen.fold(_as_rows(action_ids, sha256, np.ones(len(action_ids), np.bool_)))

    def _pair(self, ordinals: I64, rows: I64) -> tuple[I64, list[tuple[_Block, I64, I64]]]:
        """(rows of outcomes that were waited for, (block, rows in it, rows of outcomes) of each block)."""
        parts: list[tuple[_Block, I64, I64]] = []
        firsts = np.array([block.ordinals[0] for block in self._blocks], np.int64)
        block_of = np.searchsorted(firsts, ordinals, "right") - 1
        for number in np.unique(block_of[block_of >= 0]).tolist():
            block, mine = self._blocks[number], np.flatnonzero(block_of == number)
            inside = np.minimum(np.searchsorted(block.ordinals, ordinals[mine]), len(block.ordinals) - 1)
            hit = (block.ordinals[inside] == ordinals[mine]) & block.waiting[inside]
            found, first = np.unique(inside[hit], return_index=True)
            block.waiting[found] = False
            block.left -= len(found)
            if len(found):
                parts.append((block, found, rows[mine[hit][first]]))
        self._blocks = [block for block in self._blocks if block.left]
        return np.concatenate([rows[:0], *(outcome for _, _, outcome in parts)]), parts


def _read(chunk: Chunk, types: NDArray[np.int32], pins: U8) -> tuple[I64, U8, Strings, U8, NDArray[np.bool_]]:
    """Rows of the chunk that are readable decisions of this run or outcomes: their rows, action ids, bodies, digests of decisions
    and which of them are decisions. Others are refused by the action lane: no outcome will come, so none is waited for.
    """
    ids = np.zeros((len(types), 16), np.uint8)
    sha256 = np.zeros((len(types), 32), np.uint8)
    good = np.zeros(len(types), np.bool_)
    bodies = Strings(chunk.values.data, chunk.values.starts + HEADER_BYTES, chunk.values.lengths - HEADER_BYTES)
    for name, field_name, read in (("decision_response", "intent.action_id", DECISION), ("action_outcome", "action_id", OUTCOME)):
        index = np.flatnonzero(types == type_index(name))
        values = chunk.values.take(index)
        decoded = decode(plan_of(name, read), values.data, values.starts, values.lengths, HEADER_BYTES)
        ids[index] = np.asarray(decoded.columns[field_name])
        good[index] = decoded.verdict == 0
        if name == "decision_response":
            run_id = decoded.columns["pins.platform_run_id"]
            assert isinstance(run_id, Strings)
            good[index] &= same_bytes(run_id.data, run_id.starts - 1, pins)  # the six pins are neighbours, as in the action lane
            mine = bodies.take(index)
            sha256[index] = sha256_rows(b"", mine.data, mine.starts, mine.lengths)
    rows = np.flatnonzero(good)
    return rows, ids[rows], bodies.take(rows), sha256[rows], types[rows] == type_index("decision_response")


def _as_rows(ids: U8, sha256: U8, is_decision: NDArray[np.bool_]) -> Columns:
    """A decision is known by its action id; an outcome speaks of one, as a label speaks of a payment."""
    n = len(ids)
    starts = np.arange(n, dtype=np.int64) * 16
    data = np.ascontiguousarray(ids).reshape(-1)
    return {
        "kind": np.where(is_decision, np.int8(PAYMENT), np.int8(LABEL)),
        "event_id": Strings(data, starts, np.where(is_decision, np.int32(16), np.int32(-1))),
        "subject_event_id": Strings(data, starts, np.where(is_decision, np.int32(-1), np.int32(16))),
        "payload_hash": sha256,
        "ts_us": np.zeros(n, np.int64),
    }


def _together(parts: list[tuple[_Block, I64, I64]], bodies: Strings, offsets: I64, place: int) -> Columns:
    """Pairs of all blocks, in the order their outcomes came."""
    outcomes = np.concatenate([outcome for _, _, outcome in parts])
    order = np.argsort(outcomes)
    held = [block.bodies.take(found).compact() for block, found, _ in parts]
    together = concat([{"decision": bodies_of_block} for bodies_of_block in held])["decision"]
    assert isinstance(together, Strings)
    return {
        "decision": together.take(order).compact(),
        "outcome": bodies.take(outcomes[order]).compact(),
        "sha256": np.concatenate([block.sha256[found] for block, found, _ in parts])[order],
        "decision_place": np.concatenate([np.full(len(found), block.place) for block, found, _ in parts])[order],
        "decision_offset": np.concatenate([block.offsets[found] for block, found, _ in parts])[order],
        "outcome_place": np.full(len(order), place),
        "outcome_offset": offsets[outcomes[order]],
    }
