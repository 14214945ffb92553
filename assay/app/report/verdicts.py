"""Verdicts of a report: what was proven, as far as the store still holds what the evidence speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.app.report.evidence import AuditEvidence, Entry, ReplayEvidence, RunEvidence
from assay.app.report.recheck import Held
from assay.app.screen import counted

CAME_IN = "Every payment came through the gate"
REPLAYED, WHOLE, GIVEN = "Replay gives the same decisions", "Audit chain is whole", "Audit holds the decisions of the journal"
#: (what, proven or refuted or None, in figures)
Shown = tuple[str, bool | None, str]


def nothing_decided(run: RunEvidence | None, sealed_rows: int | None) -> str:
    """Why no payment was left to be decided, in figures, and what helps."""
    if run is None:
        return "nothing was posted"
    admitted = run.admitted_triggers or 0 if run.entry is None else run.entry.admitted
    if admitted:
        why = _reasons(run.quarantined)
        return f"the lanes refused all of {counted(admitted, 'admitted payment')} ({why}): `assay quarantine list --bus` says why"
    found, calls = [], run.refused_calls or {}
    if run.quarantined:
        items = f"all {sealed_rows or sum(run.quarantined.values()):,} that were posted were refused ({_reasons(run.quarantined)})"
        found.append(f"{items}: `assay quarantine list` says why, `assay quarantine show` what helps")
    if calls:
        found.append(
            f"{counted(sum(calls.values()), 'call')} refused as a whole ({_reasons(calls)}), and each was answered with what helps"
        )
    return f"nothing was admitted: {'; '.join(found)}" if found else "nothing was posted"


def _reasons(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))


def came_in(entry: Entry | None, held: Held) -> Shown:
    """Whether all that was decided came through the gate."""
    if entry is None or held.receipts is None:
        return CAME_IN, None, "receipts were not counted"
    if held.receipts != entry.receipts:
        return CAME_IN, False, f"the evidence says {counted(entry.receipts, 'receipt')}, there are {held.receipts:,}"
    came = f"{counted(entry.admitted, 'payment')} · {counted(entry.receipts, 'receipt')}"
    figures = f"{came} · {entry.without_receipt:,} on the topic without one"
    if entry.forgotten:
        figures += f" · {counted(entry.forgotten, 'id')} of events before {entry.forgotten_before_utc} forgotten by the index"
    if entry.strangers or entry.receipts_gone:
        return CAME_IN, False, f"{figures}, {entry.strangers:,} unknown to the gate, {entry.receipts_gone:,} whose receipt is gone"
    if entry.ambiguous:
        return CAME_IN, False, f"{figures}; {entry.ambiguous:,} may be on the bus or not: `assay gate resolve` settles them"
    if entry.without_receipt and entry.unasked:
        return CAME_IN, None, f"{figures}; {entry.unasked}"
    if entry.beyond:
        return CAME_IN, None, f"{figures}; {entry.beyond:,} of those without a receipt are so old, and nobody knows who admitted them"
    return CAME_IN, True if entry.admitted else None, figures


def checked_again(replay: ReplayEvidence | None, audit: AuditEvidence | None, held: Held, *, nothing: bool) -> Sequence[Shown]:
    """Verdicts of the replay and of the audit. `nothing`: no payment was admitted, so there was nothing to audit."""
    if audit is None or audit.nothing:
        none = "nothing was audited" if nothing or audit else "no verification was recorded"
        return _replayed(replay, held), (WHOLE, None, none), (GIVEN, None, none)
    figures = f"{counted(audit.records, 'record')} in {counted(audit.segments, 'segment')}"
    whole = (WHOLE, False, held.audit) if held.audit else (WHOLE, audit.verified, figures)
    return _replayed(replay, held), whole, _given(audit, held)


def _replayed(replay: ReplayEvidence | None, held: Held) -> Shown:
    if replay is None:
        return REPLAYED, None, "no replay was recorded"
    if held.replay:
        return REPLAYED, False, held.replay
    if not replay.decision_set:
        return REPLAYED, None, "the evidence is of an older version: run `assay replay --verify`"
    return REPLAYED, replay.verified, f"{replay.compared:,} decisions recomputed, {replay.differing:,} differ"


def _given(audit: AuditEvidence, held: Held) -> Shown:
    """Whether the audit was held against the journal. It has no more decisions than the journal gives, or they were not compared."""
    if audit.recomputed is None or not audit.verified:
        return GIVEN, None if audit.verified else False, audit.against
    return GIVEN, not held.audit and audit.recomputed >= audit.records, audit.against
