"""Identity of a world from its content: the same rows and mapping give the same pins and event ids, one changed value gives others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from assay.contracts.canonical import hex64

MANIFEST_VERSION = "v2"
RELEASE = "assay-import-v3"


def column_digest(series: pl.Series) -> str:
    """sha256 hex over a column's rows in order: little-endian int64, or lengths (int32, -1 for null) and then UTF-8 bytes.

    Raises TypeError for a column that is neither integer nor text: no such column is part of a world.
    """
    if series.dtype == pl.String:
        lengths = series.str.len_bytes().cast(pl.Int64).fill_null(-1).to_numpy().astype("<i4")
        body = series.drop_nulls().str.join("").item() or ""
        return hashlib.sha256(lengths.tobytes() + body.encode()).hexdigest()
    if not series.dtype.is_integer():
        raise TypeError(f"column {series.name} holds {series.dtype}")
    present = series.is_not_null().to_numpy().astype(np.uint8).tobytes() if series.null_count() else b""
    return hashlib.sha256(series.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes() + present).hexdigest()


def column_digests(frame: pl.DataFrame) -> dict[str, str]:
    """Digest of every column by name."""
    return {series.name: column_digest(series) for series in frame.iter_columns()}


def manifest_fingerprint(rows: int, digests: Mapping[str, str], mapping_digest: str, set_aside: Mapping[str, int] | None = None) -> str:
    """sha256 hex over what a world consists of: number of rows, column digests, mapping, and rows that were set aside, if any were."""
    parts = {"version": MANIFEST_VERSION, "rows": rows, "column_digests": dict(digests), "mapping_digest": mapping_digest}
    return hex64({**parts, "set_aside": dict(set_aside)} if set_aside else parts)


def event_ids(
    output_id: str, keys: Iterable[str], manifest_fingerprint: str, parameter_hash: str, seed: int, scenario_id: str
) -> list[str]:
    """`contracts.ids.world_event_id` of many rows with a primary key of one column; constant parts are joined once."""
    before = f"{output_id}|"
    after = f"|{manifest_fingerprint}|{parameter_hash}|{seed}|{scenario_id}"
    sha256 = hashlib.sha256
    return [sha256(f"{before}{key}{after}".encode()).hexdigest() for key in keys]
