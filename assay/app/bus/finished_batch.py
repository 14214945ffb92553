"""Finished record batches for aiokafka's producer, which otherwise builds its batches record by record.

`FinishedBatch` stands in for its `BatchBuilder` (aiokafka 0.14). It has the methods that `send_batch` and the sender call; a
contract test holds the list. The sender gives producer id, epoch and sequence right before it asks for the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from assay.agents.step import Emission
from assay.codecs.record_batch import RecordBatch, record_batches, sealed
from assay.codecs.record_headers import framed_headers, has_headers

#: fewer rows are folded and framed where they are: handing them to a thread takes longer than the work
SMALL_ROWS = 1_000


class FinishedBatch:
    """One batch on its way."""

    def __init__(self, batch: RecordBatch) -> None:
        self._batch = batch
        self._state = (-1, -1, -1)
        self._bytes: bytes | None = None

    def append(self, **record: object) -> None:
        """None, as a full batch answers."""

    def close(self) -> None:
        """It never was open."""

    def closed(self) -> bool:
        return True

    def size(self) -> int:
        return len(self._batch.data)

    def record_count(self) -> int:
        return self._batch.records

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._state, self._bytes = (producer_id, producer_epoch, base_sequence), None

    def _build(self) -> bytes:
        """The same bytes for every try, so that the broker knows a repeated batch."""
        if self._bytes is None:
            self._bytes = sealed(self._batch, *self._state)
        return self._bytes


class Lot(NamedTuple):
    """What goes to one partition, in order."""

    handle: str
    partition: int
    batches: list[RecordBatch]


def lots_of(emissions: Sequence[Emission], wall_ms: int, bytes_max: int) -> list[Lot]:
    """Emissions framed, one lot per partition and emission, in their order."""
    lots: list[Lot] = []
    for emission in emissions:
        partitions, with_headers = np.unique(emission.partitions), has_headers(emission.handle)
        for partition in partitions.tolist():
            keys, values = emission.keys, emission.values
            if len(partitions) > 1:
                index = np.flatnonzero(emission.partitions == partition)
                keys, values = keys.take(index), values.take(index)
            headers = framed_headers(values) if with_headers else None
            lots.append(Lot(emission.handle, partition, record_batches(keys, values, wall_ms, bytes_max, headers)))
    return lots
