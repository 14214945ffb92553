"""What is sent of a small world: its payments and its labels, each as the process that sends it reads it."""

from __future__ import annotations

import json
from typing import Any

from small_runs import config_of

from assay.app.labels.known_labels import LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.merged_view import MergedView
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.sequence import EventSequence
from assay.contracts.limits import BODY_BYTES_MAX

DAY_US = 86_400_000_000


def payments_of(world: SealedWorld) -> MergedView:
    """What the streamer sends."""
    config = config_of(world.manifest)
    return MergedView(world, Framer(config.pins, config.run_id))


def labels_of(world: SealedWorld, delay_us: int = 7 * DAY_US) -> LabelSequence:
    """What the delivery of labels sends."""
    config = config_of(world.manifest)
    return LabelSequence(labels_of_world(world, delay_us), LabelFramer(config.pins, config.run_id))


def read(sequence: EventSequence, rows_max: int = 10_000, bytes_max: int = BODY_BYTES_MAX) -> list[dict[str, Any]]:
    """Every envelope of a sequence."""
    events: list[dict[str, Any]] = []
    position = 0
    while (batch := sequence.take(position, rows_max, END_OF_TIME, bytes_max)) is not None:
        events += json.loads(batch.body)
        position = batch.end
    return events
