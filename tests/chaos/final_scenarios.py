"""Faults that end a run: a topic under it was made anew or emptied. The worker must refuse to go on, and name why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from chaos.feeding import TRAFFIC, Feeder
from chaos.remains import read_all
from chaos.scenarios import Scenario
from chaos.scene import Scene
from chaos.workers import Member
from confluent_kafka.admin import AdminClient
from lane_worker import committed_of

from assay.app.bus.topics import create_topics, partitions_of
from assay.app.bus.users import BusUser, properties_of
from assay.codecs.journal_record import JournalRecord
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.testing import until

JOURNAL = "FP_JOURNAL_RTDL_V1"
#: an input that was emptied, and has grown past the reader's place before anybody looks, is taken for the old one
SLOWLY_PER_S = 20


def made_anew(scene: Scene, handle: str) -> None:
    """Delete a topic and create it again."""
    run = scene.run
    with scene.marked(f"{handle} recreated"):
        properties = properties_of(run, BusUser.ADMIN)
        admin = AdminClient({**properties, "bootstrap.servers": run.bootstrap, "log_level": 0})
        admin.delete_topics([topic(handle).name(run.namespace)])[topic(handle).name(run.namespace)].result(30)
        until(lambda: handle not in partitions_of(run.bootstrap, run.namespace, properties))
        create_topics(run.bootstrap, run.namespace, run.partitions, properties)


def emptied(scene: Scene, handle: str) -> None:
    """The broker comes back without the files of a topic's first partition."""
    kafka = scene.servers.kafka
    assert kafka.data is not None
    with scene.marked(f"{handle}[0] emptied"):
        kafka.kill()
        shutil.rmtree(kafka.data / f"{topic(handle).name(scene.run.namespace)}-0")
        kafka.start()


#: what a worker may end with that meets the deletion, or the broker's restart, before what was done then; the next one names that
BEFORE: Mapping[Callable[[Scene, str], None], Sequence[Reason]] = {
    made_anew: (Reason.TOPIC_UNKNOWN,),
    emptied: (Reason.PRODUCE_FAILED, Reason.BROKER_UNREACHABLE, Reason.TOPIC_UNKNOWN),
}


def under_the_worker(scene: Scene, harm: Callable[[Scene, str], None], handle: str, reason: Reason) -> None:
    """While a worker runs: it ends, and so does the next one, which names the reason and decides nothing more."""
    active = _working(scene)
    if handle == TRAFFIC:
        scene.feeder.stop()
    harm(scene, handle)
    if handle == TRAFFIC:  # what comes now lies where something else lay before
        scene.feeder = Feeder(scene.run, SLOWLY_PER_S)
        scene.feeder.start()
    scene.keep = 0
    scene.refused(active, reason, *BEFORE[harm])
    _next_is_refused(scene, reason)


def while_none_runs(scene: Scene, harm: Callable[[Scene, str], None], handle: str, reason: Reason) -> None:
    """While no worker runs: the next one does not start deciding from nothing."""
    active = _working(scene)
    scene.keep = 0
    active.kill()
    harm(scene, handle)
    _next_is_refused(scene, reason)


def _working(scene: Scene) -> Member:
    """A worker that has decided and committed."""
    active = scene.active()
    scene.goes_on()
    scene.until(lambda: committed_of(scene.run, "rtdl"), "nothing is committed")
    return active


def _next_is_refused(scene: Scene, reason: Reason) -> None:
    """What the last worker wrote to a journal that was emptied follows nothing: that is a reason, too.

    Where the journal is whole, what it gives and the last worker did not get out is sent first; nothing more is taken.
    """
    scene.feeder.stop()
    journaled, before = _journaled(scene), scene.decided()
    scene.refused(scene.start(), reason, Reason.JOURNAL_SEQUENCE_GAP)
    assert _journaled(scene) == journaled, "a refused worker has taken payments"
    assert reason is Reason.INPUT_OFFSET_LOST or scene.decided() == before, "a refused worker has decided"


def _journaled(scene: Scene) -> int:
    """Rows in the journal."""
    return sum(JournalRecord.from_bytes(value).rows for value in read_all(scene.run, [JOURNAL]).values(JOURNAL))


FINAL: Mapping[str, Scenario] = {
    name: Scenario(partial(when, harm=harm, handle=handle, reason=reason), final=True)
    for name, when, harm, handle, reason in (
        ("journal_recreated", under_the_worker, made_anew, JOURNAL, Reason.JOURNAL_RECREATED),
        ("journal_recreated_between_workers", while_none_runs, made_anew, JOURNAL, Reason.JOURNAL_RECREATED),
        ("journal_emptied", under_the_worker, emptied, JOURNAL, Reason.JOURNAL_RECREATED),
        ("journal_emptied_between_workers", while_none_runs, emptied, JOURNAL, Reason.JOURNAL_RECREATED),
        ("input_recreated", under_the_worker, made_anew, TRAFFIC, Reason.INPUT_OFFSET_LOST),
        ("input_emptied", under_the_worker, emptied, TRAFFIC, Reason.INPUT_OFFSET_LOST),
    )
}
