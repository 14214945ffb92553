"""A run on disk for the commands that look into runs: a world, an audited decision, and what the gate has written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from gate_events import SCOPE, admissible, event, examined
from sample_audits import decided, write_chain
from sample_decisions import FEATURES
from small_worlds import ROWS, small_world

from assay.agents.rule_plan import compile_rules
from assay.app.gate.admission import RefusedEvent
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.receipts import QUARANTINE, RECEIPTS, ReceiptWriter, actor_json
from assay.app.gate.segments import SegmentLog
from assay.app.gate.spool import spool_of
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.app.oracle.sealed_world import find_world
from assay.app.report.paid import row_named
from assay.app.run.directory import Run, RunConfig
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.pins import Pins
from assay.tables.feature_document import parse_document

POLICY: dict[str, Any] = {
    "policy_id": "p",
    "revision": "1",
    "rules": [
        {"code": "MANY", "points": 30, "when": [{"feature": "count_1d", "ge": 3}]},
        {"code": "DEAR", "points": 5, "when": [{"feature": "amount_minor", "gt": {"times": 2, "feature": "mean_1d"}}]},
    ],
    "thresholds": {"STEP_UP": 30},
}
AT = "2026-01-01T00:00:00.000001Z"
#: an id that would colour the text, turn its direction, clear the screen and begin another line
HOSTILE = "x\x1b[31m\u202e\x9b2J\x07\ny"
WRITER = ReceiptWriter(
    shipped_admission_policy(), Pins.of(SCOPE), {"traffic": "ns.traffic", "context": "ns.context", "label": "ns.labels"}, bytes(32)
)
ACTOR = actor_json(OF_RUN_KEY)


def run_at(directory: Path, policy: dict[str, Any], fingerprint: str = "1" * 64) -> Run:
    """A run in a directory; nothing listens at its addresses."""
    config = RunConfig(
        platform_run_id="platform_20260101T000000Z",
        scenario_run_id="0" * 32,
        manifest_fingerprint=fingerprint,
        parameter_hash="2" * 64,
        scenario_id="sample",
        seed=7,
        run_id="3" * 32,
        features=FEATURES,
        policy=policy,
    )
    run = Run(directory=directory, config=config, bootstrap="127.0.0.1:1", dsn="")
    run.save()
    return run


def decided_by(policy: dict[str, Any], decision: dict[str, Any]) -> dict[str, Any]:
    """A decision as one of this policy."""
    digest = compile_rules(policy, parse_document(FEATURES)).policy.digest
    return {**decision, "policy": {"policy_id": policy["policy_id"], "revision": policy["revision"], "content_digest": digest}}


def shown_run(directory: Path, wanted: str = "p1", **columns: Any) -> Run:
    """A run over the small world. Payment `wanted` of its file is decided."""
    world = small_world(directory, pl.DataFrame({**ROWS, **columns}))
    run = run_at(directory, POLICY, world.manifest.manifest_fingerprint)
    write_chain(run.store, [decision_on(run, wanted)], 1)
    return run


def decision_on(run: Run, source_id: str) -> dict[str, Any]:
    """The decision on a payment of the run's world."""
    row = row_named(find_world(run.store, run.config.manifest_fingerprint) or small_world(run.directory), source_id)
    assert row is not None
    decision = decided(row["event_id"], row["ts_us"], row["ts_us"] + 5, 35, "STEP_UP", ["MANY", "DEAR"])
    entities = {name.removeprefix("entity."): id_ for name, id_ in row.items() if name.startswith("entity.") and id_}
    paid = {"amount_minor": row["amount_minor"], "currency": row["currency"], "entities": entities}
    return decided_by(POLICY, {**decision, **paid, "features": {"longs": [4, 1], "doubles": [3714.285714285714]}})


def gate_wrote(run: Run, admitted: Sequence[str] = (), refused: Sequence[dict[str, Any]] = (), *, sealed: bool = True) -> None:
    """Lines as the gate writes them: an ADMIT for each id, and a refusal for each event."""
    receipts, quarantine = [], []
    for at, event_id in enumerate(admitted):
        receipts.append(WRITER.admitted(admissible(event(event_id)), Verdict.ADMIT, RecordMetadata(1, at), AT, ACTOR)[1])
    for document in refused:
        item = examined(document)
        assert isinstance(item, RefusedEvent), document
        _, receipt, record = WRITER.quarantined(item, AT, ACTOR)
        receipts.append(receipt)
        quarantine.append(record)
    for prefix, lines in ((RECEIPTS, receipts), (QUARANTINE, quarantine)):
        log = SegmentLog(run.store, prefix, spool_of(run.directory, prefix))
        log.append(lines)
        if sealed:
            log.close()
