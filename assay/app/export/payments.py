"""What an export says of payments that decisions do not hold: the id in the file, the kind and the attributes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
import polars as pl

from assay.agents.step import Chunk
from assay.app.bus.topic_reader import reader_of
from assay.app.oracle.file_rows import FileRows
from assay.app.oracle.sealed_world import SealedWorld, find_world
from assay.app.run.directory import Run
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Column, Ragged, Strings
from assay.codecs.single_object import HEADER_BYTES, by_type, plan_of, record_types, resolve
from assay.contracts.handles import TRAFFIC

SOURCE_ID, KIND, ATTRIBUTES = "source_id", "kind", "attributes"
_ATTRIBUTE: Final = "attribute."
_PLACE: Final = ("source_partition", "source_offset")
_FIELDS: Final = frozenset({KIND, ATTRIBUTES})
#: (partition, first offset, offset behind the last) → the records of the topic of payments
Records = Callable[[int, int, int], Iterable[Chunk]]


class Payments(Protocol):
    """Gives source_id, kind and the attributes of the payment of each decision, in their order; null where nobody knows."""

    def of(self, decisions: pl.DataFrame) -> pl.DataFrame: ...


def with_payments(decisions: pl.DataFrame, payments: Payments) -> pl.DataFrame:
    """Decisions with the columns of their payments: source_id and kind behind the event id, attributes at the end."""
    of = payments.of(decisions)
    first, rest = decisions.select("event_id", of[SOURCE_ID], of[KIND]), of.drop(SOURCE_ID, KIND)
    return pl.concat([first, decisions.drop("event_id"), rest], how="horizontal")


class FilePayments:
    """Payments of a run over a file: a column `attribute_NAME` for each attribute of the sealed world."""

    def __init__(self, world: SealedWorld) -> None:
        names = [f"{_ATTRIBUTE}{name}" for name in world.manifest.attributes]
        self._rows, self._renamed = FileRows(world, [SOURCE_ID, KIND, *names]), {name: name.replace(".", "_", 1) for name in names}

    def of(self, decisions: pl.DataFrame) -> pl.DataFrame:
        """The columns of these decisions."""
        asked = decisions.select("event_id", ts_us=pl.col("ts_utc").dt.epoch("us"))
        return self._rows.of(asked).rename(self._renamed)


class PostedPayments:
    """Payments of a live run, read from their topic: `attributes` is a JSON object, as each payment has names of its own."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def of(self, decisions: pl.DataFrame) -> pl.DataFrame:
        """The columns of these decisions; null where the topic no longer holds the payment."""
        asked = decisions.select(_PLACE)
        spans = asked.group_by("source_partition").agg(first=pl.col("source_offset").min(), last=pl.col("source_offset").max())
        empty = asked.clear().with_columns(pl.lit(None, pl.String).alias(name) for name in (KIND, ATTRIBUTES))
        found = [empty]
        for partition, first, last in spans.sort("source_partition").iter_rows():
            for chunk in self._records(partition, first, last + 1):
                found += [posted.cast(empty.schema).join(asked, on=_PLACE, how="semi") for posted in _posted(chunk)]
        rows = asked.join(pl.concat(found), on=_PLACE, how="left", maintain_order="left")
        return rows.select(pl.lit(None, pl.String).alias(SOURCE_ID), KIND, ATTRIBUTES)


def payments_of(run: Run, properties: Mapping[str, str] | None = None) -> Payments:
    """The payments of a run's file, or those that were posted to a live run. `properties` are Kafka's (TLS, SASL)."""
    world = find_world(run.store, run.config.manifest_fingerprint)
    if world is not None:
        return FilePayments(world)

    def records(partition: int, first: int, end: int) -> Iterator[Chunk]:
        reader = reader_of(run.bootstrap, TRAFFIC, run.namespace, properties)
        held_first, held_end = reader.bounds()[partition]
        return reader.chunks({partition: (max(first, held_first), min(end, held_end))})

    return PostedPayments(records)


def _posted(chunk: Chunk) -> Iterator[pl.DataFrame]:
    """The payments among the records of a topic: their places, kinds and attributes."""
    values = resolve(chunk.values)
    for number, index in by_type(values):
        if number >= 0 and record_types()[number].name == "payment":
            mine = values.take(index)
            read = decode(plan_of("payment", _FIELDS), mine.data, mine.starts, mine.lengths, HEADER_BYTES).columns
            kind, place = read[KIND], (np.full(len(index), chunk.partition), chunk.offsets[index])
            assert isinstance(kind, Strings)
            yield pl.DataFrame({**dict(zip(_PLACE, place, strict=True)), KIND: kind.text(), ATTRIBUTES: _objects(read[ATTRIBUTES])})


def _objects(maps: Column) -> list[str]:
    """Maps of texts as JSON objects."""
    assert isinstance(maps, Ragged)
    names, texts = maps.children["key"], maps.children["value"]
    assert isinstance(names, Strings)
    assert isinstance(texts, Strings)
    members, ends = list(zip(names.text(), texts.text(), strict=True)), maps.offsets.tolist()
    return [json.dumps(dict(members[first:end]), ensure_ascii=False) for first, end in pairwise(ends)]
