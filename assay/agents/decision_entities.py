"""The entities of decided payments as Avro maps from name to id. An entity that a payment does not name is not in its map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.codecs.avro_encode_kernel import write_varint
from assay.codecs.columns import Columns, Strings
from assay.codecs.intrinsics import copy
from assay.codecs.kernel import frozen, kernel, part
from assay.codecs.varint import text

#: the longest varint; bytes that a map is taken for at first
VARINT_BYTES, FIRST_BYTES = 10, 128


class EntityBodies:
    """Writes the maps of batches. It belongs to one thread."""

    def __init__(self, names: Sequence[str]) -> None:
        self._columns = [f"entity.{name}" for name in names]
        # with their lengths before them, as they stand in a body
        written = Strings.of([text(name) for name in names])
        self._names = frozen(written.data, np.uint8), frozen(written.starts, np.int64), frozen(written.lengths, np.int32)
        self._row_bytes = FIRST_BYTES

    def of(self, columns: Columns, m: int) -> Strings:
        """The Avro bodies of m rows."""
        data, starts, lengths = zip(*[columns[name] for name in self._columns], strict=True)
        sizes = np.array([len(part) for part in data], np.int64)
        ids = np.concatenate(data), np.concatenate(starts), np.concatenate(lengths)
        begins, written = np.empty(m, np.int64), np.empty(m, np.int32)
        while True:
            body = np.empty(m * self._row_bytes, np.uint8)
            needed = write_entities(self._names, ids, sizes, m, body, begins, written)
            if needed <= len(body):
                return Strings(body, begins, written)
            self._row_bytes = needed // m + 1


@kernel
def write_entities(names: Any, ids: Any, sizes: Any, m: int, body: Any, body_starts: Any, body_lengths: Any) -> Any:
    """Write the map of each of m rows. Gives the bytes that may be needed; if the body has less, nothing is written.

    `ids` are bytes, starts and lengths of the ids of entity after entity, those of row i and entity k at k * m + i. The bytes of an
    entity begin behind those of the entities before it, `sizes` of them. The length is -1 where there is no id.
    """
    name_data, name_starts, name_lengths = names
    data, starts, lengths = ids
    needed = _needed(name_lengths, lengths, m)
    if needed > len(body):
        return needed
    at = 0
    for i in range(m):
        body_starts[i] = at
        named = np.int64(0)
        for k in range(len(name_starts)):
            if lengths[k * m + i] >= 0:
                named += 1
        if named > 0:
            at = write_varint(body, at, named)
        before = np.int64(0)
        for k in range(len(name_starts)):
            size = lengths[k * m + i]
            if size >= 0:
                copy(body, at, name_data, name_starts[k], name_lengths[k])
                at = write_varint(body, at + name_lengths[k], np.int64(size))
                copy(body, at, data, before + starts[k * m + i], size)
                at += size
            before += sizes[k]
        body[at] = 0
        at += 1
        body_lengths[i] = at - body_starts[i]
    return needed


@part
def _needed(name_lengths: Any, lengths: Any, m: int) -> Any:
    """The bytes of the maps of m rows at most."""
    needed = np.int64(m * (VARINT_BYTES + 1))
    for k in range(len(name_lengths)):
        for i in range(m):
            if lengths[k * m + i] >= 0:
                needed += name_lengths[k] + VARINT_BYTES + lengths[k * m + i]
    return needed
