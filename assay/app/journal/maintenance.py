"""Taking a snapshot without a standby, and truncating a journal to a verified one. Neither needs a worker or disturbs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from assay.agents.journal import out_of_reach
from assay.app.bus.admin import KafkaAdmin
from assay.app.journal.reading import HeldJournal, LaneJournal, reader_behind
from assay.app.journal.survey import surveyed
from assay.app.journal.verify import Verified, verify_journal
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.starting import start_from_newest
from assay.app.snapshots.taking import manifest_of
from assay.codecs.journal_record import JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def take_snapshot(journal: LaneJournal, say: Callable[[str], None]) -> SnapshotManifest | None:
    """Snapshot the last record whose outputs are known to be out; None when the newest snapshot is there already.

    Raises Stop (JOURNAL_OUT_OF_REACH, JOURNAL_SEQUENCE_GAP, RUN_CONFIG_MISMATCH) for a journal that no worker would start from.
    """
    lane, store = journal.new_lane(), journal.snapshots()
    newest = start_from_newest(lane, store, say)
    begin = newest.next_offset if newest else 0
    if not journal.first <= begin <= journal.end:
        raise out_of_reach(journal.topic, begin, journal.first, journal.end)
    before = reader_behind(newest) if newest else None
    clean = surveyed(journal.entries(begin), journal.lane, journal.run_config_digest, before).emitted_through
    if clean <= lane.applied.sequence:
        return None
    next_offset = begin
    for entry in journal.entries(begin):
        if lane.applied.sequence == clean:
            break
        lane.recover(entry.value)
        lane.emitted(JournalRecord.from_bytes(entry.value).sequence)
        next_offset = entry.offset + 1
    draft = store.draft(lane.applied.sequence)
    try:
        for name, state in lane.state().items():
            draft.write(name, state)
        manifest = manifest_of(lane, draft, journal.tp, next_offset)
        if not draft.publish(manifest):
            return None
    except BaseException:
        draft.discard()
        raise
    store.clean()
    return manifest


def truncate(
    journal: LaneJournal, properties: Mapping[str, str] | None = None, progress: Callable[[int], None] = lambda records: None
) -> tuple[SnapshotManifest, Verified]:
    """Delete the records before a verified snapshot, and the snapshots before that one.

    Raises as `verified_target` does, and Retry(BROKER_UNREACHABLE).
    """
    target, verified = verified_target(journal, progress)
    KafkaAdmin(journal.run.bootstrap, properties).delete_records(*journal.tp, target.next_offset)
    journal.snapshots().remove_before(target.sequence)
    return target, verified


def verified_target(journal: HeldJournal, progress: Callable[[int], None] = lambda records: None) -> tuple[SnapshotManifest, Verified]:
    """The newest snapshot but one, once all of them have been compared with the journal: nothing before it is needed.

    Raises Stop(SNAPSHOT_UNVERIFIED) unless the journal is in order and at least two snapshots equal its fold: one may be
    damaged later, and then the one before it and the journal behind that are needed.
    """
    verified = verify_journal(journal, progress)
    if verified.findings or len(verified.snapshots) < 2:
        why = verified.findings[0].text if verified.findings else f"{len(verified.snapshots)} snapshots are verified, two are needed"
        raise Stop(
            Reason.SNAPSHOT_UNVERIFIED,
            f"the journal of lane {journal.lane} is not truncated: {why}",
            where=journal.topic,
            remedy="`assay journal verify` lists what is wrong; `assay journal snapshot` takes another snapshot.",
        )
    journal.snapshots().make_durable()
    return verified.snapshots[-2], verified
