"""Evidence against the store it speaks of, at the time of a report: a verdict that was true once is not shown for other bytes.

What is read again: every audit segment, with its digest, its place in the chain and the decisions in it; the chain's head; and
`evidence/decisions.parquet`, from which the report's figures are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from assay.app.report.evidence import AuditEvidence, ReplayEvidence, decision_frame
from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import HEAD, read_head, segment_key
from assay.codecs.audit_segment import GENESIS, SEGMENTS, Segment, decisions_in, read_segment
from assay.codecs.columns import Strings
from assay.codecs.decision_set import DecisionSet
from assay.contracts.errors import Stop

AUDIT_AGAIN = "run `assay audit verify`"
REPLAY_AGAIN = "run `assay replay --verify`"
_NO_PLACES = pl.DataFrame(schema={"decision_id": pl.String, "segment": pl.Int64})


class Held(NamedTuple):
    """What the store holds now: audit records and payments with a receipt, None where the evidence does not speak of them.

    A text says what is wrong with the evidence, "" for nothing.
    """

    audits: int | None
    audit: str
    replay: str
    receipts: int | None = None


class _Now(NamedTuple):
    """The chain as it is: records, decisions as rows, their set's digest, and the first thing wrong with it or with its evidence."""

    records: int
    frame: pl.DataFrame
    decision_set: str
    problem: str
    places: pl.DataFrame


def recheck(
    store: ObjectStore, audit: AuditEvidence | None, replay: ReplayEvidence | None, decisions: pl.DataFrame | None
) -> tuple[Held, pl.DataFrame | None]:
    """Read the store again and compare. Evidence that was not given is not compared.

    With it: columns decision_id and segment (its number) of every decision that the audit holds.
    """
    now = None if audit is None else _chain(store, audit)
    problem = "" if replay is None else _replay(replay, decisions, now)
    if now is None:
        return Held(None, "", problem), None
    return Held(now.records, now.problem, problem), now.places


def _chain(store: ObjectStore, audit: AuditEvidence) -> _Now:
    """Read the chain. A run that goes on may have more segments than were verified."""
    found, frames, records, problem, digests = DecisionSet(), [decision_frame(Strings.of([]))], 0, "", dict[int, tuple[str, int]]()
    places = list[pl.DataFrame]()
    for key, segment in _segments(store):
        if isinstance(segment, str):
            problem = problem or f"{key}: {segment}"
            continue
        before = digests[segment.sequence - 1][0] if segment.sequence - 1 in digests else GENESIS
        if not problem and (segment.sequence != len(digests) or segment.header.get("previous") != before):
            problem = f"{key}: does not follow the segment before it"
        records += len(segment.values.lengths)
        digests[segment.sequence] = segment.digest, records
        decisions = decisions_in(segment.values)
        found.update(decisions)
        frames.append(decision_frame(decisions))
        places.append(frames[-1].select("decision_id", segment=pl.lit(segment.sequence, pl.Int64)))
    problem = problem or _ends(store, audit, digests)
    frame = pl.concat(frames).sort("ts_us", "event_id")
    return _Now(records, frame, found.hexdigest(), problem, pl.concat(places) if places else _NO_PLACES)


def _segments(store: ObjectStore) -> Iterator[tuple[str, Segment | str]]:
    """Every segment, or what is wrong with it."""
    for key in store.keys(SEGMENTS):
        try:
            segment = read_segment(store.read(key), key)
        except Stop as damage:
            yield key, damage.what
        else:
            yield key, segment if segment_key(segment.sequence) == key else f"holds segment {segment.sequence}"


def _ends(store: ObjectStore, audit: AuditEvidence, digests: dict[int, tuple[str, int]]) -> str:
    """What is wrong with the end of the chain, or with evidence of another one."""
    try:
        head = read_head(store)
    except Stop as damage:
        return f"{HEAD}: {damage.what}"
    if head is not None and digests.get(head.sequence, ("", 0))[0] != head.sha256:
        return f"{segment_key(head.sequence)}: is not the segment that the head names"
    if head is None or head.sequence + 1 != len(digests):
        return f"{HEAD}: does not close a chain of {len(digests)} segments"
    verified = digests.get(audit.segments - 1, ("", 0))
    if verified != (audit.head, audit.records):
        return f"the chain in the store is not the one of {audit.records:,} records that was verified: {AUDIT_AGAIN}"
    return ""


def _replay(replay: ReplayEvidence, decisions: pl.DataFrame | None, now: _Now | None) -> str:
    """What does not fit the evidence of a replay."""
    rows = 0 if decisions is None else len(decisions)
    if rows != replay.compared:
        return f"its evidence says {replay.compared:,} decisions, evidence/decisions.parquet holds {rows:,}: {REPLAY_AGAIN}"
    if now is None or now.records != replay.compared:
        return ""  # they speak of different moments of a run, which the counts say
    if replay.decision_set and replay.decision_set != now.decision_set:
        return f"the decisions in the audit are not those that were recomputed: {REPLAY_AGAIN} and {AUDIT_AGAIN}"
    if decisions is not None and not decisions.equals(now.frame.select(_columns_of(decisions))):
        return f"evidence/decisions.parquet holds other decisions than the audit: {REPLAY_AGAIN}"
    return ""


def _columns_of(decisions: pl.DataFrame) -> list[str]:
    """The columns to compare: evidence of older versions has fewer."""
    return [name for name in decision_frame(Strings.of([])).columns if name in decisions.columns]
