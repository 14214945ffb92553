"""Files of payments that people bring. Every row of a file is in the sealed world, or the file is refused and nothing is kept."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl
from fuzz.engine import Target
from small_worlds import NOW_US, ROWS, mapping, write

from assay.app.oracle.generator import SHAPES, generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import Mapping, load_mapping
from assay.app.simulation.log import MemoryStore
from assay.contracts.errors import Quarantine

CSV, JSON_LINES, PARQUET = ".csv", ".jsonl", ".parquet"
GENERATED_ROWS: Final = 3
SEED: Final = 7


def meet_csv(data: bytes) -> Any:
    """A CSV file, read under the mapping whose columns it most looks like. Python's reader of CSV says which rows are in it."""
    return _meet(data, CSV)


def meet_json_lines(data: bytes) -> Any:
    """A file of JSON lines. Python's reader of JSON says which ids are in it."""
    return _meet(data, JSON_LINES)


def meet_parquet(data: bytes) -> Any:
    """A Parquet file."""
    return _meet(data, PARQUET)


def _meet(data: bytes, suffix: str) -> Any:
    path, store = _folder() / f"payments{suffix}", MemoryStore()
    path.write_bytes(data)
    known = next((one for one in _mappings() if str(one.id).encode() in data), _mappings()[0])
    try:
        world = import_world(path, known, store, NOW_US)
    except Quarantine as refused:
        assert not store.objects, "refused, and something is kept"
        return known.mapping, refused.reason, refused.where.partition(", row")[0]
    (part,) = world.manifest.stream_view
    ids = world.stream_part(part)["source_id"].to_list()
    assert len(ids) == world.manifest.rows
    readers = {CSV: _ids_by_python, JSON_LINES: _ids_of_objects}
    expected = readers[suffix](data, str(known.id)) if suffix in readers else None
    assert expected is None or sorted(expected) == sorted(ids), f"{ids} where Python's reader finds {expected}"
    return known.mapping, len(ids), expected is None, tuple(world.manifest.kinds), len(world.manifest.truth)


def _ids_by_python(data: bytes, column: str) -> list[str] | None:
    """The ids in a CSV file; None where Python ends lines elsewhere, or cannot read it."""
    text = data.decode().removeprefix("\ufeff")
    if "\r" in text.replace("\r\n", "\n"):
        return None
    try:
        return [row[column] for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error:
        return None


def _ids_of_objects(data: bytes, column: str) -> list[str] | None:
    """The ids in JSON lines; None where a number stands for an id, which another value may turn into text."""
    ids = [json.loads(line)[column] for line in data.decode().removeprefix("\ufeff").split("\n") if line.strip()]
    return ids if all(isinstance(one, str) for one in ids) else None


@cache
def _mappings() -> tuple[Mapping, ...]:
    return mapping(), *(load_mapping(shape) for shape in SHAPES)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz"))


def _seeds(suffix: str) -> list[bytes]:
    path = _folder() / f"generated{suffix}"
    found = [_bytes_of(pl.DataFrame(ROWS), path)]
    for shape in SHAPES:
        frame = generate(shape, GENERATED_ROWS, SEED, path.with_suffix(PARQUET))
        found.append(_bytes_of(frame, path))
    return found


def _bytes_of(frame: pl.DataFrame, path: Path) -> bytes:
    if path.suffix == JSON_LINES:
        return frame.write_ndjson().encode()
    return write(path, frame).read_bytes()


TARGETS: Final = (
    Target("csv", lambda: _seeds(CSV), meet_csv, 4, text=True),
    Target("json_lines", lambda: _seeds(JSON_LINES), meet_json_lines, 2, document=True),
    Target("parquet", lambda: _seeds(PARQUET), meet_parquet, 1),
)
