"""Seen ids: the lane's memory of event ids, beyond offsets, for the gate's idempotency horizon.

Ids are kept as 128 bits of two independent hashes instead of their text: 16 bytes whatever their length, nothing to
compact when they expire, and a chance of two of 10^9 ids meeting of about 10^-21. An id is NEW, a DUPLICATE (same payload hash) or a
MISMATCH (other payload hash). Each new id gets an ordinal, counted from 0 in folding order; the oldest ordinals are
forgotten, row by row, once their event-time mark is `horizon_us` behind the latest time folded or more than `max_rows`
ids are held. So what is remembered depends on the folded rows alone, never on how they were batched. The newest `min_rows` ids
are never too old: what is sent again after a restart follows close behind, however far apart its times are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8
from assay.codecs.intrinsics import load64, prefetch
from assay.codecs.kernel import Int, inlined, kernel
from assay.codecs.table_state import TableState, state_refused
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.growth import grown, power_of_two
from assay.tables.row_kinds import LABEL, PAYMENT
from assay.tables.text_hash import hash128

NEW, DUPLICATE, MISMATCH = 0, 1, 2
#: far more rows than are under way anywhere when a process ends, and so may come again from the next one
RESENT_ROWS_MAX = 100_000
#: words of an entry: 128 bits of the id, 128 bits of the payload hash, the latest time folded when it came
FIRST, SECOND, PAYLOAD, PAYLOAD_REST, MARK, ENTRY_WORDS = 0, 1, 2, 3, 4, 5
#: state: oldest ordinal held, next ordinal, latest time folded, index words in use
_BASE, _NEXT, _LATEST, _USED = 0, 1, 2, 3
_ORDINAL_BITS = 40
_ORDINAL_MASK = 2**40 - 1
_TAG_MASK = 2**24 - 1
_FIRST_IDS = 64
#: rows between asking for an index word and using it
_PREFETCH_ROWS = 12


class SeenBatch(NamedTuple):
    """One row per input row. `ordinals` is -1 unless the row is NEW and has an id; `subjects` is the ordinal of the payment
    a label speaks of, -1 when it is not known. `oldest` is in every row the oldest ordinal that is held once the batch is folded. `known`
    rows are not NEW."""

    verdicts: NDArray[np.int8]
    ordinals: I64
    subjects: I64
    oldest: I64
    known: int


@inlined
def _find(first: Int, second: Int, entries: I64, index: I64, base: Int) -> tuple[Int, Int]:
    """(ordinal, -1) of an id that is held, else (-1, place in the index where it would go)."""
    mask = len(index) - 1
    tag = (first >> _ORDINAL_BITS) & _TAG_MASK
    at = first & mask
    free = np.int64(-1)
    while index[at] != 0:
        ordinal = (index[at] & _ORDINAL_MASK) - 1
        if ordinal < base:
            free = at if free < 0 else free
        elif ((index[at] >> _ORDINAL_BITS) & _TAG_MASK) == tag:
            row = ordinal & (len(entries) - 1)
            if entries[row, FIRST] == first and entries[row, SECOND] == second:
                return ordinal, np.int64(-1)
        at = (at + 1) & mask
    return np.int64(-1), at if free < 0 else free


@kernel
def _fold(
    data: U8,
    starts: I64,
    lengths: I32,
    subject_data: U8,
    subject_starts: I64,
    subject_lengths: I32,
    kinds: NDArray[np.int8],
    times: I64,
    payloads: U8,
    payload_bytes: int,
    horizon_us: int,
    max_rows: int,
    min_rows: int,
    hashes: I64,
    entries: I64,
    index: I64,
    state: I64,
    verdicts: NDArray[np.int8],
    ordinals: I64,
    subjects: I64,
    oldest: I64,
) -> int:
    """Fold rows in order; the number of rows that are not NEW, or -1 and nothing is changed if there is no room for all of them.

    `hashes` (room, 2) is scratch.
    """
    mask, known, n = len(entries) - 1, 0, len(kinds)
    if state[_NEXT] - state[_BASE] + n > len(entries) or 3 * (state[_USED] + n) > 2 * len(index) or n > len(hashes):
        return -1
    # all hashes come first, so that the index words a row needs can be asked for while earlier rows are looked up
    for i in range(n):
        first, second = hash128(data, starts[i], np.int64(max(lengths[i], 0)), np.int64(kinds[i]))
        hashes[i, 0], hashes[i, 1] = np.int64(first), np.int64(second)
        if i < _PREFETCH_ROWS:
            prefetch(index, hashes[i, 0] & (len(index) - 1))
    for i in range(n):
        verdicts[i], ordinals[i], subjects[i] = NEW, -1, -1
        if i + _PREFETCH_ROWS < n:
            prefetch(index, hashes[i + _PREFETCH_ROWS, 0] & (len(index) - 1))
        if kinds[i] < LABEL or kinds[i] > PAYMENT:
            continue
        if kinds[i] == LABEL and subject_lengths[i] >= 0:
            one, other = hash128(subject_data, subject_starts[i], np.int64(subject_lengths[i]), PAYMENT)
            subjects[i] = _find(np.int64(one), np.int64(other), entries, index, state[_BASE])[0]
        if lengths[i] < 0:
            continue
        first, second = hashes[i, 0], hashes[i, 1]
        payload = np.int64(load64(payloads, i * payload_bytes))
        payload_rest = np.int64(load64(payloads, i * payload_bytes + 8))
        ordinal, at = _find(first, second, entries, index, state[_BASE])
        if ordinal >= 0:
            row = ordinal & mask
            same = entries[row, PAYLOAD] == payload and entries[row, PAYLOAD_REST] == payload_rest
            verdicts[i] = DUPLICATE if same else MISMATCH
            subjects[i] = -1
            known += 1
            continue
        ordinal = state[_NEXT]
        state[_LATEST] = max(state[_LATEST], times[i])
        state[_USED] += index[at] == 0
        index[at] = (first & ~np.int64(_ORDINAL_MASK)) | (ordinal + 1)
        row = ordinal & mask
        entries[row, FIRST], entries[row, SECOND] = first, second
        entries[row, PAYLOAD], entries[row, PAYLOAD_REST] = payload, payload_rest
        entries[row, MARK] = state[_LATEST]
        ordinals[i] = ordinal
        state[_NEXT] = ordinal + 1
        while state[_NEXT] - state[_BASE] > min_rows and (
            entries[state[_BASE] & mask, MARK] < state[_LATEST] - horizon_us or state[_NEXT] - state[_BASE] > max_rows
        ):
            state[_BASE] += 1
    for i in range(n):
        oldest[i] = state[_BASE]
    return known


@kernel
def _look_up(keys: I64, entries: I64, index: I64, base: int, known: NDArray[np.bool_]) -> None:
    for i in range(len(keys)):
        known[i] = _find(keys[i, 0], keys[i, 1], entries, index, base)[0] >= 0


@kernel
def _move(entries: I64, base: int, end: int, larger: I64) -> None:
    """Copy the entries of these ordinals to their places in the larger ring."""
    for ordinal in range(base, end):
        row, to = ordinal & (len(entries) - 1), ordinal & (len(larger) - 1)
        for word in range(ENTRY_WORDS):
            larger[to, word] = entries[row, word]


@kernel
def _reindex(entries: I64, base: int, end: int, index: I64) -> None:
    mask = len(index) - 1
    for ordinal in range(base, end):
        prefetch(index, entries[(ordinal + _PREFETCH_ROWS) & (len(entries) - 1), FIRST] & mask)
        first = entries[ordinal & (len(entries) - 1), FIRST]
        at = first & mask
        while index[at] != 0:
            at = (at + 1) & mask
        index[at] = (first & ~np.int64(_ORDINAL_MASK)) | (ordinal + 1)


class SeenIds:
    """Event ids within the horizon. Ids of labels, context facts and payments are separate name spaces."""

    def __init__(self, horizon_us: int, max_rows: int, min_rows: int = 0) -> None:
        if horizon_us < 0 or max_rows < 1:
            raise Stop(
                Reason.SETTING_INVALID, f"the idempotency horizon is {horizon_us} us and {max_rows} rows", remedy="Give positive numbers."
            )
        self.horizon_us = horizon_us
        self.max_rows = max_rows
        self.min_rows = min(min_rows, max_rows)
        self._entries = np.zeros((_FIRST_IDS, ENTRY_WORDS), np.int64)
        self._index = np.zeros(2 * _FIRST_IDS, np.int64)
        self._state = np.array([0, 0, -(2**62), 0], np.int64)
        self._hashes = np.empty((0, 2), np.int64)

    @property
    def count(self) -> int:
        """Ids held."""
        return int(self._state[_NEXT] - self._state[_BASE])

    @property
    def bytes_per_id(self) -> float:
        """Bytes of memory per id held, spare room included; 0.0 when empty."""
        return (self._entries.nbytes + self._index.nbytes) / self.count if self.count else 0.0

    def fold(self, columns: Mapping[str, Any]) -> SeenBatch:
        """Fold lane rows in order. Rows of other kinds or with a null id are NEW and remembered nowhere.

        Needs the columns kind, event_id, subject_event_id, ts_us and payload_hash, of which the first 16 bytes count.
        """
        kinds, payloads = columns["kind"], columns["payload_hash"]
        data, starts, lengths = columns["event_id"]
        subject_data, subject_starts, subject_lengths = columns["subject_event_id"]
        n = len(kinds)
        verdicts, ordinals, subjects, oldest = np.empty(n, np.int8), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        while True:
            known = _fold(
                data,
                starts,
                lengths,
                subject_data,
                subject_starts,
                subject_lengths,
                kinds,
                columns["ts_us"],
                payloads.reshape(-1),
                payloads.shape[1],
                self.horizon_us,
                self.max_rows,
                self.min_rows,
                self._hashes,
                self._entries,
                self._index,
                self._state,
                verdicts,
                ordinals,
                subjects,
                oldest,
            )
            if known >= 0:
                return SeenBatch(verdicts, ordinals, subjects, oldest, known)
            self._reserve(n)
            self._hashes = grown(self._hashes, n)

    def knows(self, keys: I64) -> NDArray[np.bool_]:
        """Which of these payments are held; (n,) bool. `keys` are made by `payment_keys`."""
        known = np.empty(len(keys), np.bool_)
        _look_up(keys, self._entries, self._index, int(self._state[_BASE]), known)
        return known

    def state(self) -> TableState:
        """The whole state."""
        base, end = int(self._state[_BASE]), int(self._state[_NEXT])
        rows = self._entries[np.arange(base, end) & (len(self._entries) - 1)]
        header = {
            "table": "seen_ids",
            "entry_words": ENTRY_WORDS,
            "horizon_us": self.horizon_us,
            "max_rows": self.max_rows,
            "min_rows": self.min_rows,
            "base": base,
            "latest": int(self._state[_LATEST]),
        }
        return TableState(header, {"entries": rows})

    @classmethod
    def from_state(cls, state: TableState) -> SeenIds:
        """The inverse of `state`. Raises Stop(STATE_UNREADABLE), also for a state with entries of another layout."""
        header, rows = state.header, state.array("entries")
        words = header.get("entry_words", "another number of")  # the first layout did not say; it had 7
        if words != ENTRY_WORDS or rows.shape[1:] != (ENTRY_WORDS,) or rows.dtype != np.int64:
            raise state_refused(f"has entries of {words} words and shape {rows.shape}; this code reads entries of {ENTRY_WORDS}")
        base, end = header["base"], header["base"] + len(rows)
        if rows.ndim != 2 or rows.shape[1] != ENTRY_WORDS:
            raise state_refused(f"has event ids of {rows.shape[1:]} words, not of {ENTRY_WORDS}")
        if not 0 <= base <= end < _ORDINAL_MASK or header["horizon_us"] < 0 or header["max_rows"] < 1:
            raise state_refused("has ids or a horizon out of range")
        table = cls(header["horizon_us"], header["max_rows"], header["min_rows"])
        table._state[:] = base, base, header["latest"], 0
        table._reserve(len(rows))
        table._entries[np.arange(base, end) & (len(table._entries) - 1)] = rows
        table._state[_NEXT], table._state[_USED] = end, len(rows)
        _reindex(table._entries, base, end, table._index)
        return table

    def _reserve(self, more: int) -> None:
        """Room for `more` ids; forgotten ids leave the index here."""
        base, end, _, used = self._state.tolist()
        needed = end - base + more
        if needed > len(self._entries):
            entries = np.zeros((power_of_two(needed), ENTRY_WORDS), np.int64)
            _move(self._entries, base, end, entries)
            self._entries = entries
        if 3 * (used + more) > 2 * len(self._index):
            self._index = np.zeros(power_of_two(2 * needed), np.int64)
            _reindex(self._entries, base, end, self._index)
            self._state[_USED] = end - base
