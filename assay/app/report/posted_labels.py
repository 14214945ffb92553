"""Labels that were posted to a run: evidence that a replay takes from their topic, one row per payment that has one."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from assay.app.report.avro_frame import AvroFrame
from assay.app.stores.objects import ObjectStore
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index

LABELS_KEY: Final = "evidence/labels.parquet"
_COLUMNS: Final = {"subject_event_id": "string", "label": "string", "ts_utc": "long", "source_order": "long"}
_LABELS: Final = AvroFrame(_COLUMNS)


def label_frame(values: Strings) -> pl.DataFrame:
    """Columns subject_event_id, label, ts_utc (µs), source_order of the label assertions among these values, in their order."""
    values = resolve(values)
    values = values.take(np.flatnonzero(split(values) == type_index("label_assertion")))
    read = decode(plan_of("label_assertion", frozenset(_COLUMNS)), values.data, values.starts, values.lengths, HEADER_BYTES).columns
    return _LABELS.of({name: read[name] for name in _COLUMNS})


def last_labels(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Columns event_id, fraud: what was said last of each payment, by the time it was known and then by the order of arrival."""
    every = pl.concat([label_frame(Strings.of([])), *frames])
    ordered = every.sort("ts_utc", "source_order", maintain_order=True)
    last = ordered.unique("subject_event_id", keep="last", maintain_order=True)
    return last.select(event_id="subject_event_id", fraud=pl.col("label") == "FRAUD").sort("event_id")


def write_labels(store: ObjectStore, frames: Iterable[pl.DataFrame]) -> None:
    """Put what was posted in evidence, in place of what had been before."""
    buffer = io.BytesIO()
    last_labels(frames).write_parquet(buffer, compression_level=1)
    store.replace(LABELS_KEY, buffer.getvalue())


def read_labels(store: ObjectStore) -> pl.DataFrame | None:
    """Labels in evidence, None where no replay has looked for them."""
    try:
        return pl.read_parquet(io.BytesIO(store.read(LABELS_KEY)))
    except FileNotFoundError:
        return None
