"""Events of a run found again on its topics, between two places: the evidence about those whose producer was told nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from assay.agents.components import INGESTION_GATE, LABEL_STORE
from assay.agents.specs import WATERMARK
from assay.agents.step import Chunk
from assay.app.bus.admin import Bounds
from assay.app.bus.topic_reader import reader_of
from assay.app.gate.standing import RecordMetadata
from assay.app.run.directory import Run
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index
from assay.contracts.ids import dedupe_key

_FIELDS: Final = frozenset({"event_id", "event_type", "ts_utc", "payload_hash"})


class FoundEvent(NamedTuple):
    """An event that lies on the bus: `key` is its dedupe key, `ts_us` its time in microseconds."""

    key: bytes
    event_id: str
    event_type: str
    event_class: str
    ts_us: int
    payload_hash: bytes
    place: RecordMetadata


class BusSearch:
    """Reads the topics of one run. `classes` maps topic handles to the class of their events. `properties` are Kafka's."""

    def __init__(self, run: Run, classes: Mapping[str, str], properties: Mapping[str, str] | None = None) -> None:
        self._run, self._classes, self._properties = run, classes, properties

    def ends(self, handles: Sequence[str]) -> dict[str, dict[int, int]]:
        """Topic handle → partition → the offset behind its last record. Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN)."""
        return {handle: {partition: end for partition, (_, end) in self._bounds(handle).items()} for handle in handles}

    def events(self, firsts: Mapping[str, Sequence[int]], ends: Mapping[str, Mapping[int, int]]) -> Iterator[list[FoundEvent]]:
        """Events chunk by chunk, from the first offset of each partition (0 where none is named, or what the topic still holds) to its end.

        Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN).
        """
        for handle, by_partition in firsts.items():
            kept, wanted = self._bounds(handle), dict[int, tuple[int, int]]()
            for partition, end in ends[handle].items():
                first = by_partition[partition] if partition < len(by_partition) else 0
                wanted[partition] = (max(first, kept[partition][0]), end)
            for chunk in reader_of(self._run.bootstrap, handle, self._run.namespace, self._properties).chunks(wanted):
                yield events_in(chunk, self._classes[handle], self._run.platform_run_id)

    def _bounds(self, handle: str) -> Bounds:
        return reader_of(self._run.bootstrap, handle, self._run.namespace, self._properties).bounds()


def events_in(chunk: Chunk, event_class: str, platform_run_id: str) -> list[FoundEvent]:
    """The events of a chunk of the topic of one class; marks, and what a gate did not write, are passed over."""
    values, partition = resolve(chunk.values), chunk.tp[1]
    types, found = split(values), list[FoundEvent]()
    for name in _records_on(chunk.tp[0]):
        rows = np.flatnonzero(types == type_index(name))
        if not len(rows):
            continue
        decoded = decode(plan_of(name, _FIELDS), values.data, values.starts[rows], values.lengths[rows], HEADER_BYTES)
        columns, offsets = decoded.columns, chunk.offsets[rows].tolist()
        ids, kinds = _texts(columns["event_id"]), _texts(columns["event_type"])
        times, hashes = np.asarray(columns["ts_utc"]).tolist(), np.asarray(columns["payload_hash"])
        for row in np.flatnonzero(decoded.verdict == 0).tolist():
            key, place = dedupe_key(platform_run_id, event_class, ids[row]), RecordMetadata(partition, offsets[row])
            found.append(FoundEvent(key, ids[row], kinds[row], event_class, times[row], hashes[row].tobytes(), place))
    return found


def _records_on(handle: str) -> list[str]:
    written = (*INGESTION_GATE.produces.get(handle, ()), *LABEL_STORE.produces.get(handle, ()))
    return [name for name in written if name != WATERMARK]


def _texts(column: Any) -> list[str]:
    assert isinstance(column, Strings)
    return [text or "" for text in column.text()]
