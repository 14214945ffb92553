"""Admitted events as records of the bus: columns, then Avro single-object values, with key and partition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, cast

import numpy as np
from msgspec import UNSET

from assay.app.gate.admission import Admissible
from assay.app.gate.plain_payments import PlainPayments, per_row, whole_batches
from assay.app.gate.policy import RECORD_OF_CLASS
from assay.app.gate.record_pairs import keys_of, keys_of_columns, pairs_of, pairs_of_columns
from assay.app.gate.row_records import rows_of
from assay.app.labels.store import accept
from assay.codecs.avro_encode import Encoder
from assay.codecs.columns import Columns, Strings, concat
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import encoder_of, pins_body
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.event_classes import CONTEXT, LABEL, TRAFFIC
from assay.contracts.pins import Pins


class BusRecords(NamedTuple):
    """n records of one record type, ready to be produced, in the order of their events."""

    record: str
    keys: list[bytes]
    values: list[bytes]
    partitions: list[int]


class RecordFramer:
    """Makes the records of one run. It keeps an encoder for each record type, and belongs to one thread."""

    def __init__(self, pins: Pins, run_id: str) -> None:
        self._constants = {"pins": pins_body(pins.as_avro()), "run_id": bytes.fromhex(run_id)}
        self._encoders: dict[str, Encoder] = {}

    def framed(self, event_class: str, items: Sequence[Admissible], partitions: int) -> BusRecords:
        """The bus form of events of one class. `partitions` is how many the class's topic has."""
        columns, keys = _COLUMNS[event_class](items)
        columns |= _head(items)
        name = RECORD_OF_CLASS[event_class]
        packed = self._encoder(name).encode(columns)
        data, starts = packed.data.tobytes(), packed.starts.tolist()
        ends = (packed.starts + packed.lengths).tolist()
        values = [data[start:end] for start, end in zip(starts, ends, strict=True)]
        return BusRecords(name, keys, values, partitions_of(Strings.of(keys), partitions).tolist())

    def _encoder(self, name: str) -> Encoder:
        if name not in self._encoders:
            self._encoders[name] = encoder_of(name, self._constants)
        return self._encoders[name]


def _payments(items: Sequence[Admissible]) -> tuple[Columns, list[bytes]]:
    """Of columns that came as such, columns are made without a look at each row."""
    batches = whole_batches([item.payload for item in items])
    if batches is not None:
        columns, keys = zip(*map(_plain, batches), strict=True)
        return concat(columns), list(chain.from_iterable(keys))
    return _each(items)


def _plain(batch: PlainPayments) -> tuple[Columns, list[bytes]]:
    n = len(batch)
    entities, attributes = ({name: per_row(texts, n) for name, texts in group.items()} for group in (batch.entities, batch.attributes))
    columns: Columns = {
        "entities": pairs_of_columns(entities, n, "name", "id"),
        "attributes": pairs_of_columns(attributes, n, "key", "value"),
        "kind": _texts(per_row(batch.kind, n)),
        "amount_minor": batch.amount_minor,
        "currency": _texts(per_row(batch.currency, n)),
    }
    return columns, keys_of_columns(entities, batch.event_ids)


def _each(items: Sequence[Admissible]) -> tuple[Columns, list[bytes]]:
    columns, keys = _facts(items)
    columns["kind"] = _texts([item.payload.kind for item in items])
    columns["amount_minor"] = np.array([item.payload.amount_minor for item in items], np.int64)
    columns["currency"] = _texts([item.payload.currency for item in items])
    return columns, keys


def _facts(items: Sequence[Admissible]) -> tuple[Columns, list[bytes]]:
    """Entities and attributes, each sorted by name: the order of keys in a JSON object carries no meaning."""
    entities = [_present(item.payload.entities) for item in items]
    attributes: list[Mapping[str, str]] = [{} if (given := item.payload.attributes) is UNSET else given for item in items]
    columns: Columns = {"entities": pairs_of(entities, "name", "id"), "attributes": pairs_of(attributes, "key", "value")}
    return columns, keys_of(entities, [item.envelope.event_id for item in items])


def _labels(items: Sequence[Admissible]) -> tuple[Columns, list[bytes]]:
    """Handed over to the label store, the only maker of such records."""
    return accept([item.payload for item in items])


_COLUMNS: dict[str, Callable[[Sequence[Admissible]], tuple[Columns, list[bytes]]]] = {
    **{event.event_class: rows_of for event in ENGINE_EVENTS.values()},
    TRAFFIC: _payments,
    CONTEXT: _facts,
    LABEL: _labels,
}


def _head(items: Sequence[Admissible]) -> Columns:
    hashes = np.frombuffer(b"".join([item.payload_hash for item in items]), np.uint8).reshape(-1, 32)
    return {
        "event_id": Strings.of([item.envelope.event_id for item in items]),
        "event_type": _texts([item.envelope.event_type for item in items]),
        "ts_utc": np.array([item.ts_us for item in items], np.int64),
        "producer": _texts(["" if item.envelope.producer is UNSET else item.envelope.producer for item in items]),
        "payload_hash": hashes,
        "source_order": np.array([item.source_order for item in items], np.int64),
    }


def _texts(values: list[str]) -> Strings:
    """A column that is often the same in every row is stored once then."""
    first = values[0]
    return Strings.repeat(first.encode(), len(values)) if values.count(first) == len(values) else Strings.of(values)


def _present(entities: Mapping[str, str | None]) -> Mapping[str, str]:
    if None not in entities.values():
        return cast(Mapping[str, str], entities)
    return {name: value for name, value in entities.items() if value is not None}
