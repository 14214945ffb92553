"""READY and posture of a live run: there is no world to check, only a policy to decide under."""

from __future__ import annotations

from assay.app.bus.publisher import Publisher
from assay.app.run.directory import RunConfig
from assay.app.runner.signals import bus_record, feature_set, normal_posture, run_ready
from assay.contracts.handles import CONTROL, FEATURE_SETS, POSTURE
from assay.contracts.topics import topic


def announce(config: RunConfig, publisher: Publisher, now_us: int) -> None:
    """Publish the names of features, READY and the NORMAL posture.

    Doing it again changes nothing in effect: ids and sequence are the same, the time is not.
    """
    named = feature_set(config.features)
    publisher.publish(FEATURE_SETS, [bus_record(FEATURE_SETS, "feature_set", named, topic(FEATURE_SETS).partition_count())])
    ready = run_ready(config.pins, config.run_id, now_us, config.digest, "0" * 64, "live")
    publisher.publish(CONTROL, [bus_record(CONTROL, "run_ready", ready, topic(CONTROL).partition_count())])
    posture = normal_posture(config.pins, now_us)
    publisher.publish(POSTURE, [bus_record(POSTURE, "posture", posture, topic(POSTURE).partition_count())])
