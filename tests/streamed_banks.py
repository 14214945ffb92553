"""Sorted views of a small bank and the facts view that names them, without the bank: a streamer reads nothing else of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.app.run.directory import RunConfig
from assay.app.stores.objects import ObjectStore
from assay.app.stream_view.naming import RECEIPT, named, source_digests, view_root
from assay.app.stream_view.view_parts import encoded
from assay.contracts import instants
from assay.contracts.canonical import canonical, hex64
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.pins import Pins
from assay.contracts.ready_bundle import bundle_hash_of

PINS = Pins(
    platform_run_id="platform_20260101T000000Z",
    scenario_run_id="5" * 32,
    manifest_fingerprint="a" * 64,
    parameter_hash="b" * 64,
    scenario_id="baseline_v1",
    seed=42,
)
ENGINE_RUN, PACK, RELEASE, DIGEST = "6" * 32, "7" * 64, "engine-test", "d" * 64
EVENTS, ANCHORS, ENTITIES, ARRIVALS = (
    "s3_event_stream_with_fraud_6B",
    "s3_flow_anchor_with_fraud_6B",
    "s3_arrival_entities_with_fraud_6B",
    "arrival_events_5B",
)
START_US = 1_767_225_600_000_000
FACTS_REF = "sr/run_facts_view/run_id=x.json"
_VALUES: dict[str, Any] = {
    "seed": 42,
    "manifest_fingerprint": "a" * 64,
    "parameter_hash": "b" * 64,
    "scenario_id": "baseline_v1",
    "event_type": "AUTH_REQUEST",
    "zone_representation": "Europe/Köln",
    "tzid_primary": 'a "quoted" \\ zone',
    "channel_group": "POS",
    "is_virtual": True,
    "site_id": None,
    "amount": 107.1,
    "lambda_realised": 0.27259070633176946,
}


def config_of_bank(**changes: Any) -> RunConfig:
    """The configuration of a run that streams the traffic with fraud."""
    names = ("platform_run_id", "scenario_run_id", "manifest_fingerprint", "parameter_hash", "scenario_id", "seed")
    pins = {name: PINS.as_json()[name] for name in names}
    return RunConfig(**{**pins, "run_id": ENGINE_RUN, "features": {}, "policy": {}, "traffic": "fraud", **changes})


def rows_of(output_id: str, rows: int = 12, step_us: int = 700_000) -> pl.DataFrame:
    """Rows of an output as its view has them; every third has the time of the one before it."""
    ts_us = [START_US + (number - number % 3 // 2) * step_us for number in range(rows)]
    columns: dict[str, pl.Series] = {}
    for column in ENGINE_EVENTS[output_id].columns:
        if column.kind in ("time", "local_time"):
            zone = "UTC" if column.kind == "time" else None
            columns[column.name] = pl.Series(ts_us).cast(pl.Datetime("us", zone))
        elif column.name in _VALUES:
            kind = pl.Int64 if column.kind == "whole" else None
            columns[column.name] = pl.Series([_VALUES[column.name]] * rows, dtype=kind)
        else:
            columns[column.name] = pl.Series(range(100, 100 + rows), dtype=pl.Int64)
    return pl.DataFrame(columns)


def write_view(store: ObjectStore, output_id: str, rows: pl.DataFrame, part_rows: int = 5, **changes: Any) -> dict[str, Any]:
    """Write the view of an output, and give its locator. `changes` falsify the receipt."""
    root, parts = view_root(output_id), []
    for number in range(0, len(rows), part_rows):
        data = encoded(rows[number : number + part_rows])
        path = f"{root}/part-{number // part_rows:06d}.parquet"
        store.replace(path, data)
        part = {"path": path, "rows": len(rows[number : number + part_rows])}
        parts.append({**part, "content_digest": {"algo": "sha256", "hex": hashlib.sha256(data).hexdigest()}})
    files: list[dict[str, Any]] = [{"path": f"data/{output_id}/part-000000.parquet", "rows": len(rows), "sha256": "e" * 64}]
    last = instants.text(int(rows["ts_utc"].cast(pl.Int64).max()))  # type: ignore[arg-type]
    statistics = {"row_count": len(rows), "max_ts_utc": last}
    receipt = {
        **named(PACK, PINS.scenario_id, output_id),
        **source_digests([one["path"] for one in files], [one["sha256"] for one in files]),
        "engine_run_id": ENGINE_RUN,
        "raw_stats": statistics,
        "sorted_stats": statistics,
        "parts": parts,
        "status": "OK",
        **changes,
    }
    store.replace(f"{root}/{RECEIPT}", json.dumps(receipt).encode())
    return {
        "output_id": output_id,
        "path": f"data/{output_id}/",
        "manifest_fingerprint": PINS.manifest_fingerprint,
        "content_digest": {"algo": "sha256", "hex": hex64(files)},
        "rows": len(rows),
        "files": files,
    }


def facts_view(located: list[dict[str, Any]], root: str, **changes: Any) -> dict[str, Any]:
    """A facts view that names these outputs; its bundle hash is its own."""
    gate = {"gate_id": "gate.layer3.6B.validation", "status": "PASS", "scope": {"manifest_fingerprint": "a" * 64}}
    pack = {"oracle_pack_id": PACK, "manifest_ref": "_oracle_pack_manifest.json", "engine_run_root": root, "engine_release": RELEASE}
    document = {
        "run_id": PINS.scenario_run_id,
        "platform_run_id": PINS.platform_run_id,
        "scenario_run_id": PINS.scenario_run_id,
        "pins": PINS.as_json(),
        "locators": located,
        "gate_receipts": [{**gate, "digest": {"algo": "sha256", "hex": "c" * 64}}],
        "policy_rev": {"policy_id": "p", "revision": "r.1", "content_digest": "f" * 64},
        "plan_hash": "1" * 64,
        "run_config_digest": DIGEST,
        "plan_ref": "sr/plan",
        "record_ref": "sr/record",
        "status_ref": "sr/status",
        "intended_outputs": [one["output_id"] for one in located],
        "output_roles": {one["output_id"]: "business_traffic" for one in located},
        "traffic_delivery_mode": "event_time",
        "oracle_pack_ref": pack,
        "rows": {one["output_id"]: one["rows"] for one in located},
        "min_ts_utc": instants.text(START_US),
        "max_ts_utc": instants.text(START_US + 60_000_000),
        **changes,
    }
    return {**document, "bundle_hash": bundle_hash_of(document), **changes}


def ready_for(store: ObjectStore, document: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Write a facts view, and give the READY record that refers to it."""
    store.replace(FACTS_REF, canonical(dict(document)) + b"\n")
    return {
        "run_id": bytes.fromhex(ENGINE_RUN),
        "run_config_digest": bytes.fromhex(DIGEST),
        "bundle_hash": bytes.fromhex(document["bundle_hash"]),
        "facts_view_ref": FACTS_REF,
        **changes,
    }
