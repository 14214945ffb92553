"""Small files of payments for tests, and the world made of one."""

from __future__ import annotations

import json
from collections.abc import Mapping as Rows
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import Mapping, parse_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.oracle.world_pack import WORLD_MANIFEST, bundle_of, bundle_root, write_gate, write_pack
from assay.app.stores.below import StoreBelow
from assay.app.stores.objects import DirectoryStore

#: 2030-01-01T00:00:00Z
NOW_US = 1_893_456_000_000_000
DOCUMENT: dict[str, Any] = {
    "mapping": "small",
    "revision": "1",
    "output_id": "payments",
    "id": "id",
    "time": {"column": "at"},
    "amount": {"column": "amount", "minor_unit_exponent": 2},
    "currency": {"constant": "EUR"},
    "entities": {"customer": "who", "merchant": "shop"},
    "kind": {"column": "kind"},
    "attributes": ["channel"],
    "truth": {"column": "fraud", "positive": ["yes"], "delay": "7d", "emit": "all", "also": ["why"]},
}
ROWS: dict[str, list[Any]] = {
    "id": ["p1", "p2", "p3", "p4"],
    "at": ["2018-04-01T00:00:31Z", "2018-04-01T02:00:30+02:00", "2018-04-02 00:00:00.5Z", "2018-04-01T00:00:31.000000Z"],
    "amount": ["57.16", "0", "999999999.99", "81.50"],
    "who": ["7", "7", "8", "9"],
    "shop": [None, "m-1", None, "m-2"],
    "kind": ["card", "card", "transfer", "card"],
    "channel": ["web", None, 'quote " and ü', "web"],
    "fraud": ["no", "yes", None, "no"],
    "why": [None, "stolen", None, None],
}


def mapping(**changes: Any) -> Mapping:
    """The small mapping with some keys replaced."""
    return parse_mapping(yaml.safe_dump({**DOCUMENT, **changes}, sort_keys=False), "mapping")


def write(path: Path, columns: Rows[str, Any] | pl.DataFrame) -> Path:
    """Write a .csv or .parquet file."""
    frame = columns if isinstance(columns, pl.DataFrame) else pl.DataFrame(dict(columns))
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    return path


def small_world(folder: Path, rows: Rows[str, Any] | pl.DataFrame | None = None, **changes: Any) -> SealedWorld:
    """Import the small file into `folder`/store."""
    folder.mkdir(parents=True, exist_ok=True)
    file = write(folder / "in.parquet", ROWS if rows is None else rows)
    return import_world(file, mapping(**changes), DirectoryStore(folder / "store"), NOW_US)


def reseal(world: SealedWorld, manifest: WorldManifest) -> None:
    """What somebody would do who alters a world and every digest that can be put right."""
    write_pack(StoreBelow(world.store, world.root), manifest, NOW_US)


def manifest_key(world: SealedWorld) -> str:
    """Where the manifest of a world lies in its store."""
    return f"{world.root}/{bundle_root(world.manifest.manifest_fingerprint)}/{WORLD_MANIFEST}"


def reseal_document(world: SealedWorld, document: object) -> None:
    """Another document in the place of the manifest, in a bundle whose flag agrees with it."""
    bundle = {**bundle_of(world.manifest), WORLD_MANIFEST: json.dumps(document).encode()}
    write_gate(StoreBelow(world.store, world.root), world.manifest.manifest_fingerprint, bundle)
