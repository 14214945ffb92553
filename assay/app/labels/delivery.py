"""The labels of a run's world, posted in the order in which they are known: what is to be sent, and how far a run has got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from assay.app.labels.known_labels import KnownLabels, LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.run.directory import Run
from assay.app.streamer.frontiers import Frontiers
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.sending import Sending
from assay.app.streamer.watch import UNWATCHED, Watch
from assay.app.streamer.world_streamer import Alongside, StreamOptions, WorldStreamer

#: folder of the store with the checkpoints of deliveries, and the name of the one sequence
FOLDER, NAME = "labels", "labels"
#: as many as there may be: who sends no labels does not know their number
_ANY = 2**62


def delivery_of(run: Run, known: KnownLabels, keepers: Keepers, options: StreamOptions, watch: Watch = UNWATCHED) -> Sending:
    """The delivery of the labels of a run's world, from where its checkpoint says. `keepers`: those of `FOLDER`.

    Raises Stop(CHECKPOINT_MISMATCH).
    """
    sequence, keeper = LabelSequence(known, LabelFramer(run.config.pins, run.config.run_id)), keepers.of(NAME)
    position = keeper.load(sequence.total).position

    def sender(gate: Gate, stop: asyncio.Event, show: Callable[[int], None]) -> WorldStreamer:
        alongside, begin_us = Alongside(NAME, Frontiers(()), watch=watch), sequence.due_from_us(position)
        return WorldStreamer(sequence, gate, keeper, options, stop, show, begin_us=begin_us, alongside=alongside)

    return Sending("delivered", sequence.total, position, sender)


def undelivered_text(run: Run, keepers: Keepers) -> str:
    """What people are told who sent the events of a run while its labels are not all delivered; empty when they are."""
    cursor = keepers.of(NAME).load(_ANY)
    if cursor.complete:
        return ""
    waits = " The lanes decide a payment when they know which labels were told before it." if run.config.ordering == "event_time" else ""
    return f"labels of this run come from `assay labels deliver`, which has delivered {cursor.position:,} so far.{waits}"
