"""Rows of the two projections as they leave the worker: changelog columns, and one row for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, Column, Columns, Ragged, Strings, concat
from assay.tables.entities import EntityTable
from assay.tables.entity_windows import EntityWindows
from assay.tables.feature_plan import EVENTS, LAST_TS


def feature_row(ids: EntityTable, windows: EntityWindows, slot: int) -> dict[str, Any]:
    """One id with its graph row and its windows at the key's current bucket.

    Read from another thread than the one that folds, so it changes nothing: an id that never paid may have no line yet.
    """
    lines = windows.lines
    line = lines[slot] if slot < len(lines) else np.zeros(windows.plan.width, np.int64)
    first, last, events = (int(values[0]) for values in ids.graph(np.array([slot])))
    counts = _window_counts(windows.plan.window_words, line[None], np.zeros(1, np.int64))
    names = windows.plan.window_names
    keys = ("count", "sum_minor", "fraud_count")
    return {
        "entity": ids.name,
        "id": ids.ids(np.array([slot])).text()[0],
        "first_seen_us": first,
        "last_seen_us": last,
        "event_count": events,
        "last_payment_us": int(line[LAST_TS]) if line[EVENTS] else None,
        "payment_count": int(line[EVENTS]),
        "windows": {name: dict(zip(keys, counts[0, w].tolist(), strict=True)) for w, name in enumerate(names)},
    }


def feature_columns(entities: Sequence[EntityTable], windows: Sequence[EntityWindows]) -> Columns:
    """Touched feature rows in entity and slot order; what was touched is cleared."""
    return concat(list(map(_feature_part, entities, windows)))


def entity_columns(entities: Sequence[EntityTable]) -> Columns:
    """Touched graph rows in entity and slot order; what was touched is cleared."""
    return concat([_entity_part(ids) for ids in entities])


def dead_columns(entities: Sequence[EntityTable]) -> Columns:
    """Entity and id of every id that died since the last call; some may be known again by now."""
    return concat([_named(ids, ids.take_dead()) for ids in entities])


def _named(ids: EntityTable, slots: NDArray[np.intp]) -> Columns:
    return {"entity": Strings.repeat(ids.name.encode(), len(slots)), "id": ids.ids(slots).compact()}


def _feature_part(ids: EntityTable, windows: EntityWindows) -> Columns:
    lives = ids.lives()
    touched, windows.touched[:] = windows.touched[: len(lives)].copy(), 0
    slots = np.flatnonzero(touched & lives[: len(touched)])
    n, names = len(slots), windows.plan.window_names
    counts = _window_counts(windows.plan.window_words, windows.lines, slots).reshape(-1, 3)
    child: dict[str, Column] = {
        "name": _repeated(names, n),
        "count": counts[:, 0],
        "sum_minor": counts[:, 1],
        "fraud_count": counts[:, 2],
    }
    return {
        **_named(ids, slots),
        "last_ts_utc": windows.lines[slots, LAST_TS],
        "event_count": windows.lines[slots, EVENTS],
        "windows": Ragged(np.arange(n + 1, dtype=np.int64) * len(names), child),
    }


def _entity_part(ids: EntityTable) -> Columns:
    slots = ids.take_changed()
    first, last, events = ids.graph(slots)
    return {
        **_named(ids, slots),
        "first_seen_utc": first,
        "last_seen_utc": last,
        "event_count": events,
    }


def _window_counts(words: I64, lines: I64, slots: I64) -> I64:
    """(slots, windows, [count, sum, frauds]); frauds 0 where a window keeps none. A line is a kilobyte, so none is copied whole."""
    counts: I64 = np.where(words[None] < 0, 0, lines[slots[:, None, None], words])
    return counts


def _repeated(names: Sequence[str], times: int) -> Strings:
    """All names one after another, `times` over; their bytes are stored once."""
    once = Strings.of(names)
    return once.take(np.tile(np.arange(len(names)), times))
