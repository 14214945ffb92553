"""A run on disk that a report calls proven, without servers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from sample_audits import decided, write_proof

from assay.app.gate.receipts import RECEIPTS
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import open_world
from assay.app.report.evidence import Entry, RunEvidence
from assay.app.run.directory import Run, RunConfig
from assay.app.stores.objects import DirectoryStore, ObjectStore

ROWS = 2_000
NOW_US = 1_790_000_000_000_000
RECEIPT_FILE = f"{RECEIPTS}/seg-000000000000-002000.ndjson"
ENTRY = Entry(admitted=ROWS, receipts=ROWS, without_receipt=0)


def make_run(directory: Path, fingerprint: str = "1" * 64) -> Run:
    """A run of the sample's pins."""
    config = RunConfig(
        platform_run_id="platform_20260101T000000Z",
        scenario_run_id="0" * 32,
        manifest_fingerprint=fingerprint,
        parameter_hash="2" * 64,
        scenario_id="handbook",
        seed=7,
        run_id="3" * 32,
        features={"feature_set": "handbook", "revision": "1"},
        policy={"policy_id": "handbook_rules", "revision": "1"},
    )
    run = Run(directory=directory, config=config, bootstrap="localhost:9092", dsn="")
    run.save()
    return run


def proven_run(directory: Path) -> Path:
    """A run over a small generated world in which every payment is decided by its amount."""
    file = directory / "payments.parquet"
    generate("handbook", ROWS, 1, file)
    manifest = import_world(file, load_mapping("handbook"), DirectoryStore(directory / "store"), NOW_US, lambda *_: None).manifest
    run = make_run(directory, manifest.manifest_fingerprint)
    live = pl.concat([open_world(run.store, manifest.manifest_fingerprint).stream_part(part) for part in manifest.stream_view])
    large = 22_000
    decisions = [
        decided(event, ts_us, NOW_US + at, amount, *(("DECLINE", ["LARGE"]) if amount > large else ("ALLOW", [])))
        for at, (event, ts_us, amount) in enumerate(live.select("event_id", "ts_us", "amount_minor").iter_rows())
    ]
    write_proof(run.store, decisions)
    lines = [f'{{"decision":"ADMIT","event_class":"traffic","event_id":"{event}"}}\n' for event in live["event_id"]]
    run.store.create(RECEIPT_FILE, "".join(lines).encode())
    return directory


def evidence(store: ObjectStore) -> None:
    """Evidence of the run itself."""
    RunEvidence(
        started_utc="2026-01-01T00:00:00.000000Z",
        finished_utc="2026-01-01T00:01:00.000000Z",
        machine="2 cores",
        stages=({"name": "decided", "wall_s": 2.0, "rows": ROWS},),  # type: ignore[arg-type]  # as read from JSON
        parts=(
            {"role": "bus", "claim": "parity", "name": "Apache Kafka", "version": "4"},  # type: ignore[arg-type]
            {"role": "objects", "claim": "smoke", "name": "directory"},
        ),
        quarantined={"PAYLOAD_HASH_MISMATCH": 3},
        latency_ms={"p50": 2.5},
        entry=ENTRY,
    ).write(store)
