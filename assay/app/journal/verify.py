"""Verify a journal and the snapshots beside it: contiguous per epoch, every input offset once, every snapshot equal to a fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from assay.agents.lane import LaneMachine
from assay.app.journal.reading import HeldJournal, reader_behind
from assay.app.journal.survey import Finding, Survey
from assay.app.snapshots.manifest import SnapshotManifest
from assay.app.snapshots.store import SnapshotStore, digests_of
from assay.codecs.journal_record import JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Verified(NamedTuple):
    """`snapshots` are those that were read back and equal the fold of the journal, the oldest first."""

    survey: Survey
    snapshots: tuple[SnapshotManifest, ...]
    findings: tuple[Finding, ...]


def verify_journal(journal: HeldJournal, progress: Callable[[int], None] = lambda records: None) -> Verified:
    """Fold the whole journal and judge it; without its head from the oldest snapshot within reach on: no start needs what is before."""
    lane, store, survey = journal.new_lane(), journal.snapshots(), Survey(journal.lane, journal.run_config_digest)
    found = store.found()
    findings = [Finding(one.refused.reason, f"{one.key}: {one.refused.what}") for one in found if one.refused is not None]
    waiting = {one.manifest.sequence: one.manifest for one in found if one.manifest is not None}
    verified: list[SnapshotManifest] = []
    try:
        base = journal.oldest_start(lane)
    except Stop as refused:
        return Verified(survey, (), (*findings, Finding(refused.reason, refused.what)))
    if base is not None:
        verified.append(waiting.pop(base.sequence))
        survey.reader = reader_behind(base)
    for count, entry in enumerate(journal.entries(base.next_offset if base else 0)):
        counts = survey.add(entry)
        if counts and not survey.findings:
            lane.apply(entry.value)
            lane.emitted(JournalRecord.from_bytes(entry.value).sequence)
            manifest = waiting.pop(lane.applied.sequence, None)
            if manifest is not None:
                _judge(lane, store, manifest, verified, findings)
        progress(count + 1)
    findings += [_not_compared(manifest, base) for manifest in waiting.values() if base is None or manifest.sequence > base.sequence]
    return Verified(survey, tuple(verified), (*survey.findings, *findings))


def _judge(
    lane: LaneMachine, store: SnapshotStore, manifest: SnapshotManifest, verified: list[SnapshotManifest], findings: list[Finding]
) -> None:
    """Whether the parts can be read back and are what the journal gives at this record."""
    try:
        store.parts(manifest)
    except Stop as refused:
        findings.append(Finding(refused.reason, f"{manifest.key}: {refused.what}"))
        return
    folded = digests_of(lane.state())
    other = sorted(name for name in folded.keys() | manifest.state_digests.keys() if folded.get(name) != manifest.state_digests.get(name))
    if other:
        findings.append(Finding(Reason.SNAPSHOT_UNVERIFIED, f"{manifest.key}: the journal gives another state of {', '.join(other)}"))
    else:
        verified.append(manifest)


def _not_compared(manifest: SnapshotManifest, base: SnapshotManifest | None) -> Finding:
    return Finding(Reason.SNAPSHOT_UNVERIFIED, f"{manifest.key}: the journal has no record {manifest.sequence} that could be folded")
