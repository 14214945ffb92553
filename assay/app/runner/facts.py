"""The facts view of a run: pins, evidence and policy in one document, and the hash that READY is keyed by."""

from __future__ import annotations

from typing import Any

from assay.app.run.directory import RunConfig
from assay.app.runner.documents import FACTS_VIEW, PLAN, status_ref
from assay.app.runner.evidence import Seen
from assay.app.runner.plan import Plan
from assay.app.runner.receipts import receipt_of
from assay.app.runner.record import record_ref
from assay.app.runner.request import RunRequest
from assay.contracts import instants, ready_bundle
from assay.contracts.pins import Pins


def pins_of(request: RunRequest, config: RunConfig) -> Pins:
    """The six pins of a run that was asked for under a configuration."""
    return Pins(
        platform_run_id=config.platform_run_id,
        scenario_run_id=request.run_id,
        manifest_fingerprint=request.manifest_fingerprint,
        parameter_hash=request.parameter_hash,
        scenario_id=request.scenario_id,
        seed=request.seed,
    )


def bundle_hash(request: RunRequest, plan: Plan, seen: Seen) -> str:
    """hex64 of the evidence that makes a run READY, and of the policy that it is READY for."""
    bundle = _bundle(request, plan, seen)
    locators, gates, instances = (bundle[part].values() for part in ("locators", "receipts", "instance_receipts"))
    return ready_bundle.bundle_hash(locators, gates, instances, plan.policy_rev)


def receipts_of(request: RunRequest, plan: Plan, seen: Seen) -> list[dict[str, Any]]:
    """Receipts of the outputs that belong to one instance of a world."""
    return list(_bundle(request, plan, seen)["instance_receipts"].values())


def facts_view(request: RunRequest, config: RunConfig, plan: Plan, seen: Seen) -> dict[str, Any]:
    """What is known of a run before it starts; no time of day is in it. `rows` are the denominators of everything counted later."""
    bundle = _bundle(request, plan, seen)
    receipts = {"instance_receipts": list(bundle["instance_receipts"].values())} if bundle["instance_receipts"] else {}
    return {
        "run_id": request.run_id,
        "platform_run_id": config.platform_run_id,
        "scenario_run_id": request.run_id,
        "pins": pins_of(request, config).as_json(),
        "locators": list(bundle["locators"].values()),
        "gate_receipts": list(bundle["receipts"].values()),
        "policy_rev": plan.policy_rev,
        "bundle_hash": bundle_hash(request, plan, seen),
        "plan_hash": plan.plan_hash,
        "run_config_digest": config.digest.hex(),
        "plan_ref": PLAN.key(request.run_id),
        "record_ref": record_ref(request.run_id),
        "status_ref": status_ref(request.run_id),
        "intended_outputs": list(plan.outputs),
        "traffic_delivery_mode": config.ordering,
        **receipts,
        **seen.facts,
        "min_ts_utc": instants.text(seen.min_ts_us),
        "max_ts_utc": instants.text(seen.max_ts_us),
    }


def facts_ref(run_id: str) -> str:
    """Key of the facts view: what READY refers to."""
    return FACTS_VIEW.key(run_id)


def _bundle(request: RunRequest, plan: Plan, seen: Seen) -> dict[str, dict[str, Any]]:
    fingerprint = request.manifest_fingerprint
    verified = {output_id: receipt_of(request, seen.outputs[output_id]) for output_id in plan.outputs}
    scope = {"manifest_fingerprint": fingerprint}
    return {
        "locators": {output_id: seen.outputs[output_id].locator(fingerprint) for output_id in plan.outputs},
        "receipts": {gate_id: seen.gates[gate_id].receipt(scope) for gate_id in plan.gates},
        "instance_receipts": {output_id: receipt for output_id, receipt in verified.items() if receipt is not None},
    }
