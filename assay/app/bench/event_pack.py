"""A sealed pack with one output: events as a generated world has them, in parts that follow one another in time or not.

Rows of a part are not in the order of time, as in a world, where payments of a merchant stand together. Everything around them (catalogue,
gate, seal) is what a reader of any pack verifies.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import polars as pl
import yaml

from assay.app.oracle.draws import Draws
from assay.app.pack.interface import CATALOGUE, GATE_MAP
from assay.app.pack.sealed_pack import MANIFEST, OUTPUTS, RECEIPT, SEAL
from assay.app.stores.objects import ObjectStore
from assay.contracts.gates import FLAG, GateMethod, flag_files

#: "following": a part has the events of some days; "mixed": each part has events of all days
Arrangement = Literal["following", "mixed"]
OUTPUT_ID = "s3_event_stream_with_fraud_6B"
PART_ROWS, ROW_GROUP = 1_000_000, 262_144
IDENTITY = {"manifest_fingerprint": "b" * 64, "parameter_hash": "c" * 64, "scenario_id": "baseline_v1", "seed": 7}
COLUMNS = ("flow_id", "event_seq", "event_type", "ts_utc", "amount", "fraud_flag", "campaign_id")
TYPES = ("AUTH_REQUEST", "AUTH_RESPONSE")
CAMPAIGNS = tuple(hashlib.sha256(str(number).encode()).hexdigest() for number in range(20))
_START_US, _SPAN_US = 1_764_547_200_000_000, 90 * 86_400_000_000
_GATE_ID = "gate.layer3.6B.validation"
_ROOT = "data/layer3/6B/validation/manifest_fingerprint={manifest_fingerprint}"
_GATE = GateMethod("sha256_index_json_index_order_raw_bytes", list_name="items", lexical=False)


def write_pack(store: ObjectStore, rows: int, arrangement: Arrangement, told: Callable[[int], object]) -> None:
    """Write the pack and seal it. `told` is called with the rows of each part. `rows` is even: a payment has two events."""
    entries = []
    for number, frame in enumerate(_parts(rows, arrangement)):
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=1, row_group_size=ROW_GROUP)
        path = f"data/layer3/6B/{OUTPUT_ID}/part-{number:06d}.parquet"
        store.create(path, buffer.getvalue())
        digest = {"algo": "sha256", "hex": hashlib.sha256(buffer.getbuffer()).hexdigest()}
        locator = {"output_id": OUTPUT_ID, "path": path, **IDENTITY, "content_digest": digest}
        entries.append({"locator": locator, "part": number, "rows": len(frame)})
        told(len(frame))
    _seal(store, entries)


def _parts(rows: int, arrangement: Arrangement) -> Iterator[pl.DataFrame]:
    parts = -(-rows // PART_ROWS)
    for part in range(parts):
        flows = (min(rows, (part + 1) * PART_ROWS) - part * PART_ROWS) // 2
        first, span = (_START_US + part * _SPAN_US // parts, _SPAN_US // parts) if arrangement == "following" else (_START_US, _SPAN_US)
        yield _events(Draws(part), flows, first, span)


def _events(draws: Draws, flows: int, first_us: int, span_us: int) -> pl.DataFrame:
    """Two events of each payment: a request, and its answer 50 ms to some seconds later."""
    asked = first_us + draws.below(span_us, flows)
    ids = np.repeat((draws.uniform(flows) * 2**53).astype(np.int64) * 1_021, 2)
    waited = np.abs(draws.bell(flows) * 1_000_000).astype(np.int64) + 50_000
    amounts = np.repeat(np.round(np.exp2(draws.bell(flows) * 1.5 + 5) * 100).astype(np.int64) / 100, 2)
    campaigns = np.repeat(draws.below(1_000, flows), 2)
    times = np.column_stack([asked, asked + waited]).reshape(-1)
    seq = np.tile(np.array([0, 1], np.int64), flows)
    campaign = pl.Series(np.minimum(campaigns, len(CAMPAIGNS) - 1).astype(np.uint8)).cat.to(pl.Enum(CAMPAIGNS))
    fraud = pl.Series(campaigns < len(CAMPAIGNS))
    named = [pl.lit(IDENTITY["seed"], pl.Int64).alias("seed")]
    named += [pl.lit(text, pl.Enum([text])).alias(name) for name, text in IDENTITY.items() if isinstance(text, str)]
    made = {
        "flow_id": ids,
        "event_seq": seq,
        "event_type": pl.Series(seq.astype(np.uint8)).cat.to(pl.Enum(TYPES)),
        "ts_utc": pl.Series(times).cast(pl.Datetime("us", "UTC")),
        "amount": amounts,
        "fraud_flag": fraud,
        "campaign_id": campaign,
    }
    rows = pl.DataFrame(made).with_columns(campaign_id=pl.when("fraud_flag").then("campaign_id"))
    return rows.select(*named, *COLUMNS)


def _seal(store: ObjectStore, entries: list[dict[str, Any]]) -> None:
    root = _ROOT.format_map(IDENTITY)
    bundle = {OUTPUTS: _json(entries)}
    index, flag = flag_files(_GATE, bundle, str(IDENTITY["manifest_fingerprint"]), "6B")
    catalogue, gate_map = (yaml.safe_dump(document, sort_keys=False).encode() for document in (_catalogue(), _gate_map()))
    digests = {"catalogue_digest": hashlib.sha256(catalogue).hexdigest(), "gate_map_digest": hashlib.sha256(gate_map).hexdigest()}
    named = {"oracle_pack_id": hashlib.sha256(catalogue + bundle[OUTPUTS]).hexdigest(), "version": "v0"}
    documents = {
        f"{root}/{OUTPUTS}": bundle[OUTPUTS],
        f"{root}/{_GATE.index_name}": index,
        f"{root}/{FLAG}": flag,
        RECEIPT: _json({**IDENTITY, "run_id": "a" * 32}),
        CATALOGUE: catalogue,
        GATE_MAP: gate_map,
        MANIFEST: _json({**named, "world_key": IDENTITY, "engine_release": "bench", **digests}),
        SEAL: _json({**named, "seal_status": "SEALED_OK"}),
    }
    for key, data in documents.items():
        store.create(key, data)


def _catalogue() -> dict[str, Any]:
    entry = {
        "output_id": OUTPUT_ID,
        "owner_segment": "6B",
        "role": "behavioural_streams",
        "read_requires_gates": [_GATE_ID],
    }
    return {"outputs": [{**entry, "identity_columns": ["seed", *(name for name in IDENTITY if name != "seed")], "columns": _columns()}]}


def _columns() -> list[dict[str, str]]:
    return [{"name": name} for name in COLUMNS]


def _gate_map() -> dict[str, Any]:
    method = {"kind": _GATE.name, "digest_field": _GATE.digest_field, "flag": "text", "list": _GATE.list_name, "members": False}
    how = {**method, "ordering": "index_order", "paths_relative_to": "bundle_root", "includes_index": False}
    where = {"validation_bundle_root": _ROOT, "index_path": f"{_ROOT}/{_GATE.index_name}", "upstream_gate_dependencies": []}
    return {"gates": [{"gate_id": _GATE_ID, "verification_method": how, **where}]}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
