"""The announcement of a run that is READY: names of features, posture, READY, and the marks that nothing follows. And that of its end.

Posture and names of features come before READY: whoever acts on READY finds them there. Final marks come when READY is known to be there,
and then neither is published again: behind its final mark it would be late.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assay.app.bus.publisher import Publisher
from assay.app.run.directory import RunConfig
from assay.app.runner import signals
from assay.app.runner.derived import terminal_signal
from assay.app.runner.documents import READY_SIGNAL
from assay.app.runner.hold import Hold
from assay.app.runner.record import Record
from assay.app.runner.states import RunState
from assay.app.runner.voice import Voice, control_message
from assay.contracts import handles, instants
from assay.contracts.errors import AssayError
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic


def ready_of(facts: dict[str, Any], engine_run_id: str, facts_view_ref: str) -> dict[str, Any]:
    """The READY record of a facts view: the same one however often it is made. Its time is that of the world's first row."""
    pins, digest = Pins.of(facts["pins"]), bytes.fromhex(facts["run_config_digest"])
    return signals.run_ready(pins, engine_run_id, instants.parse(facts["min_ts_utc"]), digest, facts["bundle_hash"], facts_view_ref)


def ready_document(ready: dict[str, Any]) -> dict[str, Any]:
    """READY as JSON (`run_ready.v1`)."""
    plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in ready.items()}
    pins = {name: value.hex() if isinstance(value, bytes) else value for name, value in ready["pins"].items()}
    return {**plain, "pins": pins, "ts_utc": instants.text(ready["ts_utc"])}


def announce_run(hold: Hold, config: RunConfig, facts: dict[str, Any], ready: dict[str, Any], voice: Voice) -> None:
    """Say READY on the bus, and on another control bus where there is one, as far as the record does not know that it was said.

    Raises Stop(LEASE_LOST, PRODUCE_FAILED) and what the control bus refuses.
    """
    details, said = {"message_id": str(ready["event_id"])}, ready_document(ready)
    hold.write(READY_SIGNAL, said)
    if hold.record.find("READY_PUBLISHED") is None:
        with _told(hold, "READY", details):
            _publish(hold, voice.publisher, _before(config, facts))
            voice.say(control_message(said, hold.record.run_id, "READY"), hold.sure)
    if config.ordering == "event_time" and hold.record.find("MARKS_PUBLISHED") is None:
        ts_us = instants.parse(facts["min_ts_utc"])
        for handle in (handles.POSTURE, handles.CONTROL):
            _publish(hold, voice.publisher, [(handle, "mark", mark) for mark in _marks(facts, handle, ts_us)])
        hold.advance("MARKS_PUBLISHED", details)


def announce_end(hold: Hold, voice: Voice) -> None:
    """Say that a run ended without READY, unless the record knows that it was said. Its file stands already. Raises as `announce_run`."""
    signal = terminal_signal(hold.record)
    if hold.record.find("TERMINAL_PUBLISHED") is None:
        with _told(hold, "TERMINAL", {"message_id": signal["event_id"]}):
            voice.say(control_message(signal, hold.record.run_id, "TERMINAL"), hold.sure)


def is_announced(record: Record, config: RunConfig) -> bool:
    """Whether the record of a run that ended knows that everything was said."""
    told = {event["event_kind"] for event in record.events}
    if record.standing.state is not RunState.READY:
        return "TERMINAL_PUBLISHED" in told
    return "READY_PUBLISHED" in told and ("MARKS_PUBLISHED" in told or config.ordering != "event_time")


@contextmanager
def _told(hold: Hold, what: str, details: dict[str, Any]) -> Iterator[None]:
    """Record that something was said, or that it could not be. Who lost the lease records nothing."""
    try:
        yield
    except AssayError as refusal:
        if refusal.reason is not Reason.LEASE_LOST:
            hold.advance(f"{what}_PUBLISH_FAILED", {**details, "reason_code": refusal.reason.value})
        raise
    hold.advance(f"{what}_PUBLISHED", details)


def _before(config: RunConfig, facts: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    pins, ts_us = Pins.of(facts["pins"]), instants.parse(facts["min_ts_utc"])
    return [
        (handles.FEATURE_SETS, "feature_set", signals.feature_set(config.features)),
        (handles.POSTURE, "posture", signals.normal_posture(pins, ts_us)),
    ]


def _marks(facts: dict[str, Any], handle: str, ts_us: int) -> list[dict[str, Any]]:
    pins = Pins.of(facts["pins"])
    return [signals.final_mark(pins, handle, partition, ts_us + 1) for partition in range(topic(handle).partition_count())]


def _publish(hold: Hold, publisher: Publisher, records: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Publish records of one or several topics, those of one topic that follow each other at once; the lease is looked at before each."""
    by_topic: dict[str, list[Any]] = {}
    for handle, name, record in records:
        by_topic.setdefault(handle, []).append(signals.bus_record(handle, name, record, topic(handle).partition_count()))
    for handle, packed in by_topic.items():
        hold.sure()
        publisher.publish(handle, packed)
