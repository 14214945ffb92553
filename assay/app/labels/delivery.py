"""The labels of a run's world, posted in the order in which they are known: what is to be sent, and how far a run has got."""

from __future__ import annotations

from assay.app.labels.known_labels import LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import Run
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.sending import Sending, scope_of

#: folder of the store with the checkpoints of deliveries
FOLDER = "labels"


def delivery_of(run: Run, world: SealedWorld) -> Sending:
    """The delivery of a world's labels in a run, from where its checkpoint says.

    Raises as `labels_of_world`, and Stop(CHECKPOINT_MISMATCH).
    """
    config, known = run.config, labels_of_world(world, run.config.label_delay_us)
    sequence, checkpoint = LabelSequence(known, LabelFramer(config.pins, config.run_id)), checkpoint_of(run, world)
    return Sending(sequence, checkpoint, "delivered", sequence.due_from_us(checkpoint.load(sequence.total).position))


def checkpoint_of(run: Run, world: SealedWorld) -> Checkpoint:
    """How many labels of the world are delivered in this run."""
    scope = scope_of(run.config, world.manifest.oracle_pack_id)
    return Checkpoint(run.store, run.config.scenario_run_id, scope, FOLDER)


def undelivered_text(run: Run, world: SealedWorld) -> str:
    """What people are told who sent the payments of a run while its labels are not all delivered; empty when they are.

    Raises Stop(CHECKPOINT_MISMATCH).
    """
    summary = world.manifest.truth_summary
    total = summary.emitted if summary else 0
    cursor = checkpoint_of(run, world).load(total)
    if cursor.complete:
        return ""
    waits = " The lanes decide a payment when they know which labels were told before it." if run.config.ordering == "event_time" else ""
    return f"labels of this run come from `assay labels deliver`, which has delivered {cursor.position:,} of {total:,} so far.{waits}"
