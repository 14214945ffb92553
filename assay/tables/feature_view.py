"""The read-only view of the feature table, for later steps of the lane and for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, U8, Columns, Strings
from assay.codecs.varint import text
from assay.tables.changelog_kernel import LIST_BYTES, WINDOW_BYTES, window_bodies
from assay.tables.entity_view import EntityView
from assay.tables.entity_windows import EntityWindows
from assay.tables.feature_plan import EVENTS, LAST_TS


class FeatureView:
    """Reads of the feature table by slot; entities are numbered in the order of the feature document. No method changes the table."""

    def __init__(self, windows: Sequence[EntityWindows]) -> None:
        self._windows = tuple(windows)

    def changed_since(self, entity: int, sequence: int) -> NDArray[np.intp]:
        """Slots whose windows a later journal record than `sequence` changed, ascending; those of forgotten ids among them."""
        return self._windows[entity].versions.changed_since(sequence)

    def has_rows(self, entity: int, slots: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each slot has windows: a payment has named its id."""
        return self._windows[entity].versions.has(slots)

    def rows(self, entity: int, slots: NDArray[np.integer]) -> Columns:
        """Feature rows of slots at each key's current bucket: the columns of `feature_row` without those that name it and its stamp.

        `windows` are Avro bodies.
        """
        windows, names = self._windows[entity], _texts(self._windows[entity].plan.window_names)
        row_bytes = LIST_BYTES + WINDOW_BYTES * len(windows.plan.window_names) + len(names[0])
        body, starts, lengths = np.empty(len(slots) * row_bytes, np.uint8), np.empty(len(slots), np.int64), np.empty(len(slots), np.int32)
        window_bodies(windows.lines, slots, windows.plan.window_words, names, body, starts, lengths)
        return {
            "last_ts_utc": windows.lines[slots, LAST_TS],
            "event_count": windows.lines[slots, EVENTS],
            "windows": Strings(body, starts, lengths),
        }

    def row(self, entities: EntityView, entity: str, entity_id: str) -> dict[str, Any] | None:
        """One id with its graph row and its windows at the key's current bucket, for people; None if the id is unknown.

        It is read from another thread than that of the fold, so it changes nothing: an id that never paid may have no line yet.
        """
        found, graph = entities.slot_of(entity, entity_id), entities.row(entity, entity_id)
        if found is None or graph is None:
            return None
        windows, slot = self._windows[found[0]], found[1]
        lines = windows.lines
        line = lines[slot] if slot < len(lines) else np.zeros(windows.plan.width, np.int64)
        counts = _window_counts(windows.plan.window_words, line[None], np.zeros(1, np.int64))
        keys = ("count", "sum_minor", "fraud_count")
        names = windows.plan.window_names
        return {
            **graph,
            "last_payment_us": int(line[LAST_TS]) if line[EVENTS] else None,
            "payment_count": int(line[EVENTS]),
            "windows": {name: dict(zip(keys, counts[0, w].tolist(), strict=True)) for w, name in enumerate(names)},
        }


def _window_counts(words: I64, lines: I64, slots: NDArray[np.integer]) -> I64:
    """(slots, windows, [count, sum, frauds]); frauds 0 where a window keeps none. A line is a kilobyte, so none is copied whole."""
    counts: I64 = np.where(words[None] < 0, 0, lines[slots[:, None, None], words])
    return counts


@cache
def _texts(names: tuple[str, ...]) -> tuple[U8, I64]:
    """The names as Avro texts one after another, and where each begins and ends."""
    texts = [text(name) for name in names]
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])
