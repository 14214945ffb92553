"""READY of a run that a test made: a facts view in its store, and the record on its control topic."""

from __future__ import annotations

from typing import Any, Final

from streamed_banks import facts_view

from assay.app.bus.publisher import KafkaPublisher
from assay.app.gate.run_standing import RunStanding
from assay.app.run.directory import Run, RunConfig
from assay.app.runner.signals import bus_record, run_ready
from assay.contracts.canonical import canonical
from assay.contracts.engine_events import engine_events
from assay.contracts.handles import CONTROL

FACTS_REF: Final = "sr/run_facts_view/of-a-test.json"
#: the standing of a run of payments that is READY
OPEN: Final = RunStanding({"policy_id": "p", "revision": "1"}, ready=True)


def facts_of_run(config: RunConfig, outputs: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    """A facts view of a configuration that names these outputs of a bank."""
    located = [
        {
            "output_id": name,
            "path": f"data/{name}/",
            "manifest_fingerprint": config.manifest_fingerprint,
            "content_digest": {"algo": "sha256", "hex": "1" * 64},
            "rows": 1,
            "files": [{"path": f"data/{name}/part-000000.parquet", "rows": 1, "sha256": "e" * 64}],
        }
        for name in outputs
    ]
    ids = {name: config.pins.as_json()[name] for name in ("platform_run_id", "scenario_run_id")}
    own = {**ids, "run_id": config.scenario_run_id, "pins": config.pins.as_json(), "run_config_digest": config.digest.hex()}
    if not outputs:
        own |= {"gate_receipts": [], "policy_rev": {"policy_id": "p", "revision": "1", "content_digest": "f" * 64}}
    facts = facts_view(located, "bank", **{**own, **changes})
    if not outputs:
        del facts["oracle_pack_ref"]
    return facts


def ready_of(config: RunConfig, facts: dict[str, Any]) -> dict[str, Any]:
    """The READY record of a facts view."""
    return run_ready(config.pins, config.run_id, 1_000_000, config.digest, facts["bundle_hash"], FACTS_REF)


def say_ready(run: Run, outputs: tuple[str, ...] | None = None, *, kept: bool = True, **changes: Any) -> None:
    """Say READY for these outputs; of a run with a traffic for all that it streams. `kept`: the facts view is in the store."""
    named = tuple(event.output_id for event in engine_events(run.config.traffic)) if outputs is None else outputs
    facts = facts_of_run(run.config, named, **changes)
    if kept:
        run.store.replace(FACTS_REF, canonical(facts) + b"\n")
    publish_control(run, "run_ready", ready_of(run.config, facts))


def publish_control(run: Run, name: str, record: dict[str, Any]) -> None:
    """Write a record of the runner to the control topic."""
    KafkaPublisher(run.bootstrap, run.namespace).publish(CONTROL, [bus_record(CONTROL, name, record, 1)])
