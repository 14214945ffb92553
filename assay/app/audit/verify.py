"""Verify an audit chain: every byte of it vouched for by the next segment, the last one by the head.

What is checked, per segment in order: its name, its digest as the next segment (or the head) has it, its header under
the schema, the digest of its body, the number, order and ids of its records, that each joins a decision with its own outcome, and
that its offsets were not covered before. A damaged segment makes its neighbour's digest wrong too; the one whose own attester is
in order is the one at fault.

A chain that was computed anew is whole. So its decisions are held against those that the journal gives, and its records against
those on the bus, where these can be asked (`Witnesses`).
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from assay.agents.coverage import Coverage
from assay.agents.step import TopicPartition
from assay.app.audit.witnesses import DECISION_ID, Seen, Witnesses
from assay.app.replay.compare import Source, compare
from assay.app.report.evidence import NOTHING_AUDITED, AuditEvidence
from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import HEAD, Head, read_head, segment_key, sequence_of
from assay.codecs.audit_segment import GENESIS, SEGMENTS, Bodies, Segment, bodies_of, decisions_in, framed_decisions, read_segment
from assay.codecs.columns import Strings
from assay.codecs.digests import sha256_fixed, sha256_rows
from assay.codecs.single_object import record_type, writer_of, written_as
from assay.contracts.errors import Stop
from assay.contracts.ids import AUDIT_ID_TAG
from assay.contracts.json_schema import fault_of
from assay.contracts.pins import Pins

PROBLEMS_MAX = 100
#: ids that a decision and its outcome share
_SHARED = ((DECISION_ID, "outcome.decision_id"), ("decision.intent.action_id", "outcome.action_id"))
_JUDGED = frozenset({"audit_id", "sequence", "recorded_at_utc", *(name for pair in _SHARED for name in pair)})
#: records, segments and bytes read so far
Progress = Callable[[int, int, int], None]


class _Link(NamedTuple):
    """A segment's digest and the one it has for the segment before it (None if it cannot be parsed)."""

    key: str
    sha256: str
    previous: object


@dataclass
class _Chain:
    """What is known of the chain so far. `problems` are (position in the chain, text)."""

    run: object
    records: int = 0
    bytes: int = 0
    covered: dict[TopicPartition, Coverage] = field(default_factory=dict)
    links: list[_Link] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def say(self, key: str, what: str) -> None:
        """Note a problem of a segment."""
        self.problems.append((sequence_of(key), f"{key}: {what}"))

    def texts(self) -> tuple[str, ...]:
        """Problems in the order of the chain, the first ones."""
        return tuple(text for _, text in sorted(self.problems)[:PROBLEMS_MAX])


def verify_chain(
    store: ObjectStore, pins: Pins, progress: Progress = lambda records, segments, size: None, witnesses: Witnesses | None = None
) -> AuditEvidence:
    """Read and judge every segment of the run with these pins, hold them against the witnesses, and write the verdict to the evidence.

    The first problem names the first segment at fault; what the witnesses say differs comes after the chain's own problems.
    """
    started, chain = time.monotonic(), _Chain(pins.as_json())
    given = witnesses or Witnesses(unreached="nothing else was asked")
    seen = Seen(records=given.on_bus is not None)
    head, found = _end_and_names(store, chain)  # the end first: what a run writes meanwhile lies behind it
    keys = [key for key in found if head is None or sequence_of(key) <= head.sequence]
    _judge_missing(keys, head, chain)

    def judged() -> Iterator[Strings]:
        for key in keys:
            judged_one = _judge(key, store.read(key), chain)
            if judged_one is not None:
                seen.note(*judged_one)
            progress(chain.records, len(chain.links), chain.bytes)
            if judged_one is not None and given.recomputed is not None:
                yield _decisions(*judged_one)

    recomputed, said = _held_against(given, judged, partial(_again, store, keys), seen)
    _judge_links(chain, head)
    _judge_beyond(store, found, head, chain)
    on_bus, absent = seen.absent(given.on_bus) if given.on_bus is not None else (None, [])
    evidence = AuditEvidence(
        verified=not (problems := (*chain.texts(), *said, *absent)),
        records=chain.records,
        segments=len(keys),
        head=head.sha256 if head else "",
        recomputed=recomputed,
        on_bus=on_bus,
        unreached=given.unreached,
        problems=problems[:PROBLEMS_MAX],
        wall_s=time.monotonic() - started,
    )
    evidence.write(store)
    return evidence


def _again(store: ObjectStore, keys: Sequence[str]) -> Iterator[Strings]:
    for key in keys:
        with suppress(Stop):  # the first pass has named a damaged one
            yield decisions_in(read_segment(store.read(key), key).values)


def _held_against(given: Witnesses, judged: Source, again: Source, seen: Seen) -> tuple[int | None, Sequence[str]]:
    """Judge all segments while their decisions are compared with those that the journal gives: (how many it gives, what differs).

    `again`: the decisions of the same segments, from the second pass on.
    """
    passes = iter((judged,))

    def audited() -> Iterator[Strings]:
        """From the second pass on, with what need not be in a segment yet."""
        first = next(passes, None)
        if first is not None:
            yield from first()
            return
        yield from given.unfinished()
        yield from again()

    if given.recomputed is None or given.plan is None:
        deque(audited(), maxlen=0)
        return None, seen.repeated(again)
    result = compare(given.recomputed, audited, given.plan, "in the audit")
    return result.recomputed, (*result.differences, *seen.repeated(again))


def _end_and_names(store: ObjectStore, chain: _Chain) -> tuple[Head | None, list[str]]:
    """The head, and the objects that lie there afterwards: a head comes behind its segment."""
    try:
        head, found = read_head(store), list(store.keys(SEGMENTS))
        if head is None and found:  # the first segment of a run may have come between the two
            head, found = read_head(store), list(store.keys(SEGMENTS))
    except Stop as damage:
        chain.say(HEAD, damage.what)
        return None, list(store.keys(SEGMENTS))
    if head is None:
        if found:
            chain.say(HEAD, "there is no head that closes a chain")
        else:
            chain.problems.append((0, NOTHING_AUDITED))
    return head, found


def _judge_missing(keys: Sequence[str], head: Head | None, chain: _Chain) -> None:
    """All segments from 0 up to the head's must be there."""
    if head is None:
        return
    needed = [segment_key(sequence) for sequence in range(head.sequence + 1)]
    present = set(keys)
    missing = [key for key in needed if key not in present]
    if missing:
        at_the_end = missing == needed[-len(missing) :]
        chain.say(missing[0], f"is missing; {len(missing)} segments are cut off at the end" if at_the_end else "is missing in the middle")


def _judge_beyond(store: ObjectStore, found: Sequence[str], head: Head | None, chain: _Chain) -> None:
    """No object may lie beyond the head, as it is now: a run that is being written has moved it meanwhile."""
    moved = None
    with suppress(Stop):
        moved = read_head(store)
    for key in (key for key in found if head is not None and sequence_of(key) > head.sequence):
        if moved is None or segment_key(sequence_of(key)) != key or sequence_of(key) > moved.sequence:
            chain.say(key, "lies beyond the head that closes the chain")


def _decisions(records: Strings, bodies: Bodies) -> Strings:
    """Decisions as they were on the rtdl topic; bodies of an older schema are brought to today's."""
    today = writer_of("audit_record", records) is record_type("audit_record")
    return framed_decisions(bodies) if today else decisions_in(records)


def _judge(key: str, data: bytes, chain: _Chain) -> tuple[Strings, Bodies] | None:
    """Note the first thing wrong inside one segment; its records and what they hold, None if it cannot be read."""
    chain.bytes += len(data)
    try:
        segment = read_segment(data, key)
    except Stop as damage:
        chain.links.append(_Link(key, hashlib.sha256(data).hexdigest(), None))
        chain.say(key, damage.what + _record_at_fault(data))
        return None
    chain.links.append(_Link(key, segment.digest, segment.header.get("previous")))
    fault = fault_of("audit_segment.v1", segment.header)
    bodies = bodies_of(segment.values, _JUDGED)
    what = f"header {fault}" if fault else _out_of_place(segment, key, chain) or _records(segment, bodies)
    if what:
        chain.say(key, what)
    chain.records += len(segment.values.lengths)
    return segment.values, bodies


def _judge_links(chain: _Chain, head: Head | None) -> None:
    """Each segment must have the digest that the next one, or the head, has for it."""
    blamed = {text.partition(": ")[0] for _, text in chain.problems}
    links = chain.links
    if links and links[0].previous not in (GENESIS, None) and links[0].key not in blamed:
        chain.say(links[0].key, "is not the first of a chain: it follows another segment")
    vouched = [_vouched(links, at, head) for at in range(len(links))]
    for at, link in enumerate(links):
        if vouched[at] or link.key in blamed:
            continue
        following = at + 1 < len(links)
        if following and not vouched[at + 1]:
            continue  # the one that says so is itself at fault
        by = links[at + 1].key if following else "the head"
        chain.say(link.key, f"its bytes do not have the digest that {by} has for them")


def _vouched(links: Sequence[_Link], at: int, head: Head | None) -> bool:
    """False if the next segment, or the head, has another digest for this one. A gap after it vouches for nothing."""
    sequence = sequence_of(links[at].key)
    if at + 1 < len(links):
        after = links[at + 1]
        return after.previous in (None, links[at].sha256) or sequence_of(after.key) != sequence + 1
    return head is None or head.sequence != sequence or head.sha256 == links[at].sha256


def _out_of_place(segment: Segment, key: str, chain: _Chain) -> str:
    """What is wrong with a segment's place in the chain, "" if nothing."""
    header = segment.header
    if segment_key(segment.sequence) != key:
        return f"holds segment {segment.sequence}: segments were moved or swapped"
    if header["first_audit"] != chain.records and not chain.problems:
        return f"begins with audit record {header['first_audit']}, expected {chain.records}"
    if header["run"] != chain.run:
        return "belongs to another run"
    if not header["emitted_through"] < segment.sequence:
        return f"says that segment {header['emitted_through']} was emitted before it"
    return _covered_twice(segment, chain)


def _covered_twice(segment: Segment, chain: _Chain) -> str:
    for topic, partition, first, last in segment.header["ranges"]:
        coverage = chain.covered.setdefault((topic, partition), Coverage())
        ends = np.array([first, last], np.int64)
        if last < first or coverage.done(ends).any():
            return f"covers {topic}[{partition}] {first}..{last}, which an earlier one has covered"
        coverage.add(first, last)
    return ""


def _records(segment: Segment, bodies: Bodies) -> str:
    """What is wrong with its records, by position, "" if nothing."""
    values = segment.values
    wrong_type = np.flatnonzero(~written_as(writer_of("audit_record", values), values))
    if len(wrong_type):
        return f"record {wrong_type[0]} is no audit record"
    found = bodies.decoded
    columns = {name: np.asarray(found.columns[name]) for name in _JUDGED}
    digests = [sha256_rows(b"", part.data, part.starts, part.lengths) for part in (bodies.decisions, bodies.outcomes)]
    expected = sha256_fixed(AUDIT_ID_TAG, np.hstack(digests))
    alien = np.any([(columns[one] != columns[other]).any(axis=1) for one, other in _SHARED], axis=0)
    sequence = columns["sequence"]
    n = len(values.lengths)
    checks = (
        (found.verdict != 0, "cannot be decoded"),
        ((expected != columns["audit_id"]).any(axis=1), "has another id than its content gives"),
        (alien, "joins a decision with the outcome of another"),
        (sequence != segment.header["first_audit"] + np.arange(n), "is out of sequence"),
        (columns["recorded_at_utc"] != segment.header["recorded_at_us"], "has another time than its segment"),
    )
    for wrong, what in checks:
        if wrong.any():
            at = int(np.argmax(wrong))
            return f"record {at} (audit record {segment.header['first_audit'] + at}) {what}"
    return ""


def _record_at_fault(data: bytes) -> str:
    """Where only the body has another digest: the record whose id no longer fits, in words."""
    try:
        segment = read_segment(data, check_body=False)
        what = _records(segment, bodies_of(segment.values, _JUDGED))
    except Stop:
        return ""
    return f"; {what}" if what else ""
