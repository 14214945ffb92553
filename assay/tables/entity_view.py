"""The read-only view of the entity graph, for later steps of the lane and for people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Columns, Strings
from assay.tables.changelog_kernel import prefixed_ids
from assay.tables.entities import EntityTable


class EntityView:
    """Reads of the entity graph; entities are numbered in the order of the feature document.

    No method changes the graph. Arrays are copies or read-only, so a reader cannot change the graph through them either.
    """

    def __init__(self, entities: Sequence[EntityTable]) -> None:
        self._entities = tuple(entities)
        self._names = tuple(ids.name for ids in entities)

    def slots(self, entity: int) -> int:
        """Slots ever taken: every slot of the entity is below this."""
        return self._entities[entity].slots

    def find(self, entity: int, ids: Strings) -> I32:
        """Slot of each id, -1 where null or unknown."""
        return self._entities[entity].find(ids)

    def births(self, entity: int) -> I64:
        """Ordinal of the row with which the id of each slot took it, for all slots; for a free slot later than any. A read-only view."""
        return self._entities[entity].births()

    def known(self, entity: int, slots: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each slot is that of a known id."""
        return self._entities[entity].known(slots)

    def changed_since(self, entity: int, sequence: int) -> NDArray[np.intp]:
        """Slots of known ids whose graph row a later journal record than `sequence` changed, ascending."""
        return self._entities[entity].changed_since(sequence)

    def keys(self, entity: int, slots: NDArray[np.integer]) -> Strings:
        """`entity:id` of slots, in a buffer of their own."""
        prefix = _prefix(self._names[entity])
        data, ids, lengths = self._entities[entity].ids(slots)
        whole = lengths + np.int32(len(prefix))
        out, starts = np.empty(int(whole.sum(dtype=np.int64)), np.uint8), np.empty(len(ids), np.int64)
        prefixed_ids(prefix, data, ids, lengths, out, starts)
        return Strings(out, starts, whole)

    def ids(self, entity: int, keys: Strings) -> Strings:
        """The ids in the keys of an entity."""
        size = len(_prefix(self._names[entity]))
        return Strings(keys.data, keys.starts + size, keys.lengths - np.int32(size))

    def rows(self, entity: int, slots: NDArray[np.integer]) -> Columns:
        """Graph rows of slots: the columns of `entity_row` without those that name it and its stamp."""
        first, last, events = self._entities[entity].graph(slots)
        return {"first_seen_utc": first, "last_seen_utc": last, "event_count": events}

    def slot_of(self, entity: str, entity_id: str) -> tuple[int, int] | None:
        """(number of the entity, slot) of one id, None if the entity or the id is unknown."""
        if entity not in self._names:
            return None
        number = self._names.index(entity)
        slot = int(self.find(number, Strings.of([entity_id]))[0])
        return None if slot < 0 else (number, slot)

    def row(self, entity: str, entity_id: str) -> dict[str, Any] | None:
        """The graph row of one id, for people; None if the id is unknown."""
        if (found := self.slot_of(entity, entity_id)) is None:
            return None
        number, slot = found
        first, last, events = (int(values[0]) for values in self._entities[number].graph(np.array([slot])))
        return {"entity": entity, "id": entity_id, "first_seen_us": first, "last_seen_us": last, "event_count": events}


@cache
def _prefix(entity: str) -> U8:
    """The beginning of every key of an entity."""
    return np.frombuffer(f"{entity}:".encode(), np.uint8)
