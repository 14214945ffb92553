"""What is sent of a small world: its payments and its labels, each as the process that sends it reads it."""

from __future__ import annotations

import json
from typing import Any

from small_runs import config_of

from assay.app.labels.known_labels import LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import RunConfig
from assay.app.stores.objects import ObjectStore
from assay.app.streamer.facts import RunFacts, Source
from assay.app.streamer.output_rows import OutputRows
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.sequence import EventSequence
from assay.contracts.limits import BODY_BYTES_MAX

DAY_US = 86_400_000_000


def payments_of(world: SealedWorld, config: RunConfig | None = None) -> OutputRows:
    """What the streamer sends."""
    config = config or config_of(world.manifest)
    manifest = world.manifest
    files = [(f"{world.root}/{part.key}", part.rows, part.sha256) for part in manifest.stream_view]
    source = Source(manifest.output_id, f"{world.root}/stream_view/", manifest.rows, files)
    pack, times = (manifest.oracle_pack_id, "", ""), (manifest.min_ts_us, manifest.max_ts_us)
    facts = RunFacts(config.pins, config.run_id, *pack, {manifest.output_id: source}, config.ordering, *times)
    (stream,) = outputs_of(config, facts, world.store, nowhere)
    assert isinstance(stream.sequence, OutputRows)
    return stream.sequence


def nowhere(root: str) -> ObjectStore:
    """An imported world has no store of its own."""
    raise AssertionError(root)


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
