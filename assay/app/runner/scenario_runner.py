"""Scenario Runner: checks a sealed world, plans a run of it in the ledger, and says READY. Durable truth first, announcement last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from assay.app.bus.publisher import Publisher
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.oracle.world_manifest import WorldManifest, WorldPart
from assay.app.progress import unseen
from assay.app.run.directory import RunConfig
from assay.app.runner import signals
from assay.app.runner.ledger import Ledger, RunState
from assay.app.stores.objects import ObjectStore
from assay.contracts import handles, instants
from assay.contracts.canonical import hex64
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic


class Ready(NamedTuple):
    """What was published: READY's id and the facts it refers to."""

    message_id: str
    facts_view_ref: str
    rows: int


def run_scenario(
    config: RunConfig,
    store: ObjectStore,
    publisher: Publisher,
    now_us: int,
    checked: Callable[[int, int], None] = unseen,
) -> Ready:
    """Check the world of `config`, write the ledger, publish READY, posture NORMAL and, for event_time, their final marks.

    Running it again publishes what is not known to be published, with the same ids. `checked(done, total)` is called per part of the world.
    Raises Stop: whatever `open_world` and `verify` refuse (the run becomes FAILED), RUN_SCOPE_MISMATCH, TIME_IN_FUTURE,
    LABEL_NOT_AFTER_PAYMENT, PLAN_DRIFT, RUN_STATE_FORBIDDEN, PRODUCE_FAILED.
    """
    ledger = Ledger(store, config.scenario_run_id)
    if ledger.state() is None:
        ledger.move(RunState.OPEN, now_us)
    ledger.record("RUN_ACCEPTED", {"platform_run_id": config.platform_run_id, "run_config_digest": config.digest.hex()}, now_us)
    try:
        world = _checked_world(config, store, checked)
        _refuse_mistimed_labels(config, world.manifest, now_us)
    except AssayError as refusal:
        ledger.record("EVIDENCE_FAIL", {"reason": refusal.reason.value, "where": refusal.where}, now_us)
        if ledger.state() in (RunState.OPEN, RunState.PLANNED):
            ledger.move(RunState.FAILED, now_us, refusal.reason.value)
        raise
    bundle_hash = hex64({"manifest": world.manifest.digest, "run_config_digest": config.digest.hex()})
    _commit(ledger, config, world.manifest, bundle_hash, now_us)
    message_id = _publish(ledger, config, world.manifest, bundle_hash, publisher, now_us)
    return Ready(message_id, ledger.facts_view_ref, world.manifest.rows)


def facts_view(config: RunConfig, manifest: WorldManifest, bundle_hash: str) -> dict[str, Any]:
    """What is known of the run before it starts. `rows` are the denominators of everything counted later."""
    truth = manifest.truth_summary
    return {
        "platform_run_id": config.platform_run_id,
        "scenario_run_id": config.scenario_run_id,
        "pins": config.pins.as_json(),
        "run_id": config.run_id,
        "oracle_pack_id": manifest.oracle_pack_id,
        "manifest_sha256": manifest.digest,
        "bundle_hash": bundle_hash,
        "run_config_digest": config.digest.hex(),
        "output_roles": {manifest.output_id: "business_traffic"},
        "rows": {"traffic": manifest.rows, "context": 0, "label": truth.emitted if truth else 0, "truth": truth.rows if truth else 0},
        "min_ts_us": manifest.min_ts_us,
        "max_ts_us": manifest.max_ts_us,
        "locators": [{"key": part.key, "rows": part.rows, "sha256": part.sha256} for part in manifest.stream_view],
    }


def _checked_world(config: RunConfig, store: ObjectStore, checked: Callable[[int, int], None]) -> SealedWorld:
    world = open_world(store, config.manifest_fingerprint)
    manifest = world.manifest
    pins = (
        ("parameter_hash", config.parameter_hash, manifest.parameter_hash),
        ("scenario_id", config.scenario_id, manifest.scenario_id),
        ("seed", config.seed, manifest.seed),
    )
    for name, ours, theirs in pins:
        if ours != theirs:
            what = f"the run's {name} is {ours}, the world's is {theirs}"
            raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=world.root, remedy="Take the pins of a run from the manifest of its world.")
    parts: list[WorldPart] = [*manifest.stream_view, *manifest.truth]
    for done, _ in enumerate(world.verify(), start=1):
        checked(done, len(parts))
    return world


def _refuse_mistimed_labels(config: RunConfig, manifest: WorldManifest, now_us: int) -> None:
    """The gate admits nothing from the future; a label told on one day and refused on another would be another run."""
    delay_us = config.label_delay_us
    if manifest.truth_summary is None or manifest.truth_summary.delay_us is None:
        return
    if delay_us <= 0:
        what = f"labels would be told {delay_us} µs after their payments"
        raise Stop(Reason.LABEL_NOT_AFTER_PAYMENT, what, where="label_delay_us", remedy="Give the run a label delay above zero.")
    if delay_us > now_us - manifest.max_ts_us:
        what = (
            f"the last payment is of {instants.text(manifest.max_ts_us)}, and {instants.duration_text(delay_us)} after it are not over yet"
        )
        raise Stop(
            Reason.TIME_IN_FUTURE, what, where="label_delay_us", remedy="Give the run a shorter label delay, or leave out the last days."
        )


def _commit(ledger: Ledger, config: RunConfig, manifest: WorldManifest, bundle_hash: str, now_us: int) -> None:
    plan = {
        "run_id": config.scenario_run_id,
        "platform_run_id": config.platform_run_id,
        "intended_outputs": [manifest.output_id],
        "manifest_fingerprint": manifest.manifest_fingerprint,
        "ordering": config.ordering,
        "run_config_digest": config.digest.hex(),
    }
    ledger.write_plan(plan)
    ledger.record("PLAN_COMMITTED", {"plan_hash": hex64(plan)}, now_us)
    if ledger.state() == RunState.OPEN:
        ledger.move(RunState.PLANNED, now_us)
    ledger.write_facts(facts_view(config, manifest, bundle_hash))
    ledger.move(RunState.READY, now_us)
    ledger.record("READY_COMMITTED", {"bundle_hash": bundle_hash, "facts_view_ref": ledger.facts_view_ref}, now_us)


def _publish(ledger: Ledger, config: RunConfig, manifest: WorldManifest, bundle_hash: str, publisher: Publisher, now_us: int) -> str:
    """READY's id. Posture and names of features before READY: whoever acts on READY finds them there.

    Final marks come when both are known to be there, and then neither is published again: behind its final mark it would be late.
    """
    told = {event["event_kind"] for event in ledger.events()}
    pins, ts_us = config.pins, manifest.min_ts_us
    ready = signals.run_ready(pins, config.run_id, ts_us, config.digest, bundle_hash, ledger.facts_view_ref)
    details = {"message_id": str(ready["event_id"])}
    if "READY_PUBLISHED" not in told:
        for handle, name, record in (
            (handles.FEATURE_SETS, "feature_set", signals.feature_set(config.features)),
            (handles.POSTURE, "posture", signals.normal_posture(pins, ts_us)),
            (handles.CONTROL, "run_ready", ready),
        ):
            publisher.publish(handle, [signals.bus_record(handle, name, record, topic(handle).partition_count())])
        ledger.record("READY_PUBLISHED", details, now_us)
    if config.ordering == "event_time" and "MARKS_PUBLISHED" not in told:
        for handle in (handles.POSTURE, handles.CONTROL):
            partitions = topic(handle).partition_count()
            marks = [signals.final_mark(pins, handle, partition, ts_us + 1) for partition in range(partitions)]
            publisher.publish(handle, [signals.bus_record(handle, "mark", mark, partitions) for mark in marks])
        ledger.record("MARKS_PUBLISHED", details, now_us)
    return details["message_id"]
