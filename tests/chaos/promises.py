"""What must hold of a run that has come to rest, whatever was done to it; each promise is stated once, for every scenario.

Nothing here asks the lane under test: the journal is followed by the simulator's rules, and only folding it again uses the product.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from chaos.remains import Commit, Left
from oracles.journaled import counting

from assay.agents.specs import JournalTopic, journal_topic
from assay.agents.step import TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.audit.verify import verify_chain
from assay.app.bus.users import BusUser, properties_of
from assay.app.effects.recorder import recorded
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.verify import verify
from assay.app.run.directory import Run
from assay.codecs.audit_segment import SEGMENTS, bodies_of, read_segment
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, split, type_index

TRAFFIC, RTDL = "FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_RTDL_V1"
DECISION, OUTCOME = ("decision_response", "source_event.event_id"), ("action_outcome", "source_event_id")
SHOWN = 3


def broken(run: Run, left: Left, acknowledged: set[str], commits: Sequence[Commit]) -> list[str]:
    """Every promise that was not kept, in a sentence each."""
    payments = set(events_of(left.values(TRAFFIC), "payment", "event_id"))
    return [
        *some("acknowledged, and not on the topic: {}", acknowledged - payments),
        *_once_in_effect("decision", forms_of(left, *DECISION), payments),
        *_once_in_effect("outcome", forms_of(left, *OUTCOME), payments),
        *_executed_once(run, payments),
        *_audited_once(run, payments),
        *_replayed(run, len(payments)),
        *_answers_replayed(run, left),
        *_journals(run, left, commits),
    ]


def events_of(values: Sequence[bytes], record: str, field: str) -> list[str]:
    """The event each record of one type is about, in order; records of other types are passed over."""
    whole = Strings.of(list(values))
    chosen = whole.take(np.flatnonzero(split(whole) == type_index(record)))
    columns = decode(plan_of(record, frozenset({field})), chosen.data, chosen.starts, chosen.lengths, HEADER_BYTES).columns
    return [str(event) for event in cast(Strings, columns[field]).text()]


def forms_of(left: Left, record: str, field: str) -> dict[str, set[bytes]]:
    """Event → the different bytes of its records of one type on the decisions' topic."""
    whole = Strings.of(left.values(RTDL))
    chosen = whole.take(np.flatnonzero(split(whole) == type_index(record))).tolist()
    values = [value or b"" for value in chosen]
    forms: dict[str, set[bytes]] = defaultdict(set)
    for event, value in zip(events_of(values, record, field), values, strict=True):
        forms[event].add(value)
    return forms


def _once_in_effect(what: str, forms: dict[str, set[bytes]], payments: set[str]) -> Iterator[str]:
    """A repeat is the same bytes; anything else would count twice."""
    yield from some(f"no {what} on {{}}", payments - forms.keys())
    yield from some(f"a {what} on {{}}, which nobody paid", forms.keys() - payments)
    yield from some(f"two different {what}s on {{}}", [event for event, found in forms.items() if len(found) > 1])


def _executed_once(run: Run, payments: set[str]) -> Iterator[str]:
    lines = [line.decode().split(" ", 2) for line in recorded(run.actions)]
    yield from some("executed twice: {}", _repeated(event for _, _, event in lines))
    yield from some("never executed: {}", payments - {event for _, _, event in lines})


def _audited_once(run: Run, payments: set[str]) -> Iterator[str]:
    bodies = [read_segment(run.store.read(key), key).values for key in run.store.keys(SEGMENTS)]
    events = [event for values in bodies if len(values.lengths) for event in bodies_of(values).event_ids.text() if event]
    yield from some("audited twice: {}", _repeated(events))
    yield from some("not in the audit: {}", payments - set(events))
    yield from (f"audit: {problem}" for problem in verify_chain(run.store, run.config.pins).problems[:SHOWN])


def _replayed(run: Run, payments: int) -> Iterator[str]:
    """Every decision is what a journal record that counts gives, so none is a superseded writer's own."""
    evidence = verify(run, properties=properties_of(run, BusUser.READER))
    yield from (f"replay: {line}" for line in evidence.differences[:SHOWN])
    if evidence.compared != payments or not evidence.verified:
        yield f"replay: the journal gives {evidence.compared} decisions on {payments} payments, {evidence.differing} differ"


def _answers_replayed(run: Run, left: Left) -> Iterator[str]:
    """The same for outcomes of actions."""
    spec = TOPOLOGY.lane("act")
    machine, given, journal = (
        fold_machine_of(spec, run.config, partition_counts(run.partitions)),
        set[bytes](),
        left.values(journal_topic(spec)),
    )
    for offset, _ in counting(journal):
        for emission in machine.apply(journal[offset]).emissions:
            if emission.handle == RTDL:
                given.update(value or b"" for value in emission.values.tolist())
    there = {value for found in forms_of(left, *OUTCOME).values() for value in found}
    if there != given:
        yield f"{len(there - given)} outcomes are given by no journal record that counts, {len(given - there)} that are given are not there"


def _journals(run: Run, left: Left, commits: Sequence[Commit]) -> Iterator[str]:
    """Each input offset is in one record that counts, and what was committed was in the journal."""
    for lane in TOPOLOGY.lanes:
        try:
            ranges = list(_ranges(left.values(lane.journal.handle)) if isinstance(lane.journal, JournalTopic) else _segments(run))
        except ValueError as gap:
            yield f"the journal of {lane.name}: {gap}"
            continue
        journaled = Counter((handle, number, at) for _, handle, number, first, last in ranges for at in range(first, last + 1))
        there = {(*place, at) for place, values in left.values_of.items() if place[0] in lane.ranks for at in range(len(values))}
        yield from some(f"{lane.name} has left out {{}}", there - journaled.keys())
        yield from some(f"{lane.name} has journaled twice {{}}", [place for place, times in journaled.items() if times > 1])
        yield from _commits_behind([commit for commit in commits if commit.lane == lane.name], ranges)


def _ranges(journal: Sequence[bytes]) -> Iterator[tuple[int, str, int, int, int]]:
    """(offset in the journal, topic, partition, first, last) of all input that counts."""
    for offset, record in counting(journal):
        yield from ((offset, *entry) for entry in record.ranges)


def _segments(run: Run) -> Iterator[tuple[int, str, int, int, int]]:
    for number, key in enumerate(run.store.keys(SEGMENTS)):
        entries: Any = read_segment(run.store.read(key), key).header["ranges"]
        yield from ((number, *entry) for entry in entries)


def _commits_behind(commits: Sequence[Commit], ranges: Sequence[tuple[int, str, int, int, int]]) -> Iterator[str]:
    for commit in commits:
        done: dict[TopicPartition, set[int]] = defaultdict(set)
        for offset, handle, number, first, last in ranges:
            if offset < commit.journal_end:
                done[(handle, number)].update(range(first, last + 1))
        ahead = [f"{place} up to {at}" for place, at in commit.offsets.items() if not done[place].issuperset(range(at))]
        yield from some(f"{commit.lane} was committed ahead of its journal: {{}}", ahead)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def some(sentence: str, found: Iterable[object]) -> Iterator[str]:
    """One sentence for all of them, with the first few."""
    listed = sorted(str(one) for one in found)
    if listed:
        yield sentence.format(", ".join(listed[:SHOWN])) + (f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else "")
