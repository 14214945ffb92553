"""What must hold of every run, whatever happened to it: the promises of the platform, each stated once.

A check reads what is left when nothing moves any more (topics, journals, audit segments, what the effector did) and gives
sentences about what is wrong. It follows the journal by rules of its own, not by the reader of the lane it judges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay.agents.audit_segment import read_segment
from assay.agents.decision_digest import DecisionDigest
from assay.agents.journal import CLAIM, UPGRADE, JournalRecord
from assay.agents.step import Machine, Place
from assay.app.audit.verify import verify_chain
from assay.app.simulated_lanes import KeyedEffector
from assay.app.simulation.faults import Freeze, Rival
from assay.app.simulation.log import MemoryStore, ModelLog
from assay.app.simulation.process import SimulatedLane
from assay.app.simulator import Simulator
from assay.app.stores.objects import ObjectStore
from assay.app.stores.segment_journal import SEGMENTS
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Columns, Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, split, type_index, unpack
from assay.contracts.errors import AssayError
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

RTDL, AUDIT, QUARANTINE = "FP_BUS_RTDL_V1", "FP_BUS_AUDIT_V1", "FP_BUS_QUARANTINE_V1"
FEATURES = "FP_CHANGELOG_FEATURES_V1"
#: what a process may end with when nothing is wrong with the code: its write failed, or the lane is another's
ORDERLY = {Reason.PRODUCE_FAILED, Reason.JOURNAL_OFFSET_UNEXPECTED, Reason.AUDIT_CHAIN_BROKEN, Reason.AUDIT_HEAD_MISMATCH}
SHOWN = 3


class Given(NamedTuple):
    """What went into a run: its pins, the events that trigger a decision, and what is refused for which reason."""

    pins: Pins
    triggers: frozenset[str]
    refused: Mapping[tuple[str, int, int], Reason]
    digest: str
    """Of the decisions when nothing disturbs the run."""


def violations(simulator: Simulator, given: Given, effector: KeyedEffector) -> list[str]:
    """Everything that is wrong with a run that has come to rest; nothing is as it should be."""
    decided = decisions(simulator.log)
    return [
        *_decided_once(decided, given),
        *_same_decisions(decided, given),
        *_journals(simulator),
        *_outputs(simulator),
        *_outcomes(simulator.log, decided, effector, simulator),
        *_audit(simulator, decided, given),
        *_refusals(simulator.log, given),
        *_ends(simulator),
    ]


def values_of(log: ModelLog, name: str) -> Strings:
    """Every record of one type on the decisions' topic, as often as it lies there."""
    values = Strings.of(log.values(RTDL))
    whole = values.take(np.flatnonzero(split(values) == type_index(name)))
    return whole.take(np.flatnonzero(_columns(name, whole, frozenset())[1]))


def _columns(name: str, values: Strings, fields: frozenset[str]) -> tuple[Columns, np.ndarray[Any, Any]]:
    found = decode(plan_of(name, fields), values.data, values.starts, values.lengths, HEADER_BYTES)
    return found.columns, found.verdict == 0


def decisions(log: ModelLog) -> dict[str, set[bytes]]:
    """What was decided on each event; more than one form is a decision too many."""
    return _forms(values_of(log, "decision_response"), "decision_response", "source_event.event_id")


def _forms(values: Strings, name: str, key: str) -> dict[str, set[bytes]]:
    column = _columns(name, values, frozenset({key}))[0][key]
    keys = column.text() if isinstance(column, Strings) else [row.tobytes().hex() for row in np.asarray(column)]
    forms: dict[str, set[bytes]] = defaultdict(set)
    for found, value in zip(keys, values.tolist(), strict=True):
        forms[str(found)].add(value or b"")
    return forms


def digest_of(decided: Mapping[str, Iterable[bytes]]) -> str:
    """The digest of all decisions, in order of event time and id."""
    values = Strings.of([value for forms in decided.values() for value in forms])
    columns, _ = _columns("decision_response", values, frozenset({"source_event.ts_utc", "source_event.event_id"}))
    events = columns["source_event.event_id"]
    assert isinstance(events, Strings)
    keys = list(zip(np.asarray(columns["source_event.ts_utc"]).tolist(), events.tolist(), strict=True))
    digest = DecisionDigest()
    digest.update(values.take(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)))
    return digest.hexdigest()


def _decided_once(decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    yield from _some("no decision on {}", given.triggers - decided.keys())
    yield from _some("a decision on {}, which triggers none", decided.keys() - given.triggers)
    yield from _some("more than one decision in effect on {}", [event for event, forms in decided.items() if len(forms) > 1])


def _same_decisions(decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    if digest_of(decided) != given.digest:
        yield "decisions are not those of the undisturbed run"


# -- journals: contiguous within an epoch, each input offset in one record that counts, and never behind the group's commit


def counting(journal: Sequence[bytes]) -> Iterator[tuple[int, JournalRecord]]:
    """(offset, record) of the records that count. Raises ValueError where a record is missing.

    A claim counts if it has a new epoch and follows the last record that counts. Any other record counts if it has the
    epoch in force; it must follow then. A writer that had lost the lane has an older epoch, or claimed without effect.
    """
    epoch, sequence = 0, -1
    for offset, value in enumerate(journal):
        record = JournalRecord.from_bytes(value)
        if record.kind in (CLAIM, UPGRADE):
            if record.epoch <= epoch or record.sequence != sequence + 1:
                continue
            epoch = record.epoch
        elif record.epoch < epoch:
            continue
        if record.epoch != epoch or record.sequence != sequence + 1:
            raise ValueError(f"offset {offset}: epoch {record.epoch} sequence {record.sequence} after epoch {epoch} sequence {sequence}")
        sequence = record.sequence
        yield offset, record


def _journals(simulator: Simulator) -> Iterator[str]:
    for lane in simulator.lanes.values():
        try:
            ranges = list(_ranges(simulator, lane))
        except (ValueError, AssayError) as error:
            yield f"the journal of {lane.name}: {error}"
            continue
        yield from _offsets_once(simulator, lane, ranges)
        yield from _commits_behind(simulator, lane, ranges)


def _ranges(simulator: Simulator, lane: SimulatedLane) -> Iterator[tuple[int, str, int, int, int]]:
    """(offset in the journal, topic, partition, first, last) of everything the lane has journaled."""
    if lane.journal is None:
        for number, key in enumerate(simulator.store.keys(SEGMENTS)):
            yield from ((number, *entry) for entry in read_segment(simulator.store.read(key)).header["ranges"])
        return
    work = out = -1
    for offset, record in counting(simulator.log.values(lane.journal[0])):
        yield from ((offset, *entry) for entry in record.ranges)
        work, out = record.sequence if record.ranges or record.columns else work, record.emitted_through
    if out < work:
        raise ValueError(f"at rest it records outputs as out up to {out}, and work up to {work}")


def _offsets_once(simulator: Simulator, lane: SimulatedLane, ranges: Sequence[tuple[int, str, int, int, int]]) -> Iterator[str]:
    covered: Counter[tuple[str, int, int]] = Counter()
    for _, handle, partition, first, last in ranges:
        covered.update((handle, partition, offset) for offset in range(first, last + 1))
    wanted = {(*place, offset) for place in lane.places for offset in range(simulator.log.end(place))}
    yield from _some(f"{lane.name} has left out {{}}", wanted - covered.keys())
    yield from _some(f"{lane.name} has journaled {{}}, which is not there", covered.keys() - wanted)
    yield from _some(f"{lane.name} has journaled twice {{}}", [place for place, times in covered.items() if times > 1])


def _commits_behind(simulator: Simulator, lane: SimulatedLane, ranges: Sequence[tuple[int, str, int, int, int]]) -> Iterator[str]:
    done: dict[Place, set[int]] = defaultdict(set)
    left = iter([*ranges, None])
    entry = next(left)
    for commit in simulator.commits:
        if commit.lane != lane.name:
            continue
        while entry is not None and entry[0] < commit.journal_end:
            done[(entry[1], entry[2])].update(range(entry[3], entry[4] + 1))
            entry = next(left)
        for place, offset in commit.offsets.items():
            if not done[place].issuperset(range(offset)):
                yield f"{lane.name} has committed {place} up to {offset}, ahead of its journal"
                return


# -- outputs: all that the journals give, and nothing else: nothing new by a writer that had lost its lane


def _outputs(simulator: Simulator) -> Iterator[str]:
    wanted: dict[str, set[bytes]] = defaultdict(set)
    for lane in simulator.lanes.values():
        machine = lane.make()
        try:
            for handle, values in _folded_again(simulator, lane, machine):
                wanted[handle].update(values)
        except (ValueError, AssayError) as error:
            yield f"the journal of {lane.name} cannot be folded again: {error}"
            return
        yield from _read_models(simulator.log, machine)
    for found in simulator.poison.planted:
        wanted[found.place[0]].add(simulator.log.read(found.place, found.offset, 1)[0].value)
    outputs = set(wanted) - {handle for lane in simulator.lanes.values() for handle, _ in lane.places} | {RTDL}
    for handle in sorted(outputs):
        there = set(simulator.log.values(handle))
        if missing := wanted[handle] - there:
            yield f"{len(missing)} records of {handle} that a journal gives are not there"
        if new := there - wanted[handle]:
            yield f"{len(new)} records of {handle} are given by no journal record that counts"


def _folded_again(simulator: Simulator, lane: SimulatedLane, machine: Machine) -> Iterator[tuple[str, list[bytes]]]:
    """(topic, values) of everything that the records of a lane's journal which count give, on a machine that knows nothing."""
    if lane.journal is None:
        journal = [simulator.store.read(key) for key in simulator.store.keys(SEGMENTS)]
    else:
        whole = simulator.log.values(lane.journal[0])
        journal = [whole[offset] for offset, _ in counting(whole)]
    for value in journal:
        for emission in machine.apply(value).emissions:
            yield emission.handle, [found or b"" for found in emission.values.tolist()]


def _read_models(log: ModelLog, machine: Machine) -> Iterator[str]:
    """At rest the newest changelog row of a key is what the lane knows of it."""
    newest: dict[str, dict[str, Any]] = {}
    for value in log.values(FEATURES) if machine.table("features") else ():
        row = unpack(value)[1]
        before = newest.setdefault(f"{row['entity']}:{row['id']}", row)
        if (row["epoch"], row["sequence"]) > (before["epoch"], before["sequence"]):
            newest[f"{row['entity']}:{row['id']}"] = row
    stale = []
    for key, row in newest.items():
        windows = {window.pop("name"): window for window in map(dict, row["windows"])}
        known = machine.table("features").row(key)
        if (known["windows"], known["payment_count"]) != (windows, row["event_count"]):
            stale.append(key)
    yield from _some("changed rows were never sent: {}", stale)


# -- what became of decisions


def _outcomes(log: ModelLog, decided: Mapping[str, set[bytes]], effector: KeyedEffector, simulator: Simulator) -> Iterator[str]:
    values = Strings.of([value for forms in decided.values() for value in forms])
    actions = set(_forms(values, "decision_response", "intent.action_id"))
    keys = {bytes.fromhex(key) for key in _forms(values, "decision_response", "intent.idempotency_key")}
    outcomes = _forms(values_of(log, "action_outcome"), "action_outcome", "action_id")
    yield from _some("no outcome of action {}", actions - outcomes.keys())
    yield from _some("an outcome of action {}, which nobody decided", outcomes.keys() - actions)
    yield from _some("two outcomes of action {}", [action for action, forms in outcomes.items() if len(forms) > 1])
    yield from _some("never executed: {}", [key.hex() for key in keys - effector.acts.keys()])
    yield from _some("executed though nobody decided it: {}", [key.hex() for key in effector.acts.keys() - keys])
    # one that stood still between its journal and the effector asks again when it goes on; the effector honours the key
    if not any(planted.lane == "act" and isinstance(planted.fault, Freeze | Rival) for planted in simulator.met):
        yield from _some("asked to act again without asking whether it is done: {}", [key.hex() for key in effector.blindly])


def audited(store: ObjectStore) -> list[bytes]:
    """Audit records of the segments, in order."""
    return [value or b"" for key in store.keys(SEGMENTS) for value in read_segment(store.read(key)).values.tolist()]


def _audit(simulator: Simulator, decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    records = audited(simulator.store)
    events = [unpack(record)[1]["decision"]["source_event"]["event_id"] for record in records]
    yield from _some("not in the audit: {}", decided.keys() - set(events))
    yield from _some("more than once in the audit: {}", [event for event, times in Counter(events).items() if times > 1])
    store = MemoryStore(simulator.store.objects)  # the verdict is written to it, and a check leaves the run as it was
    yield from (f"audit: {problem}" for problem in verify_chain(store, given.pins).problems[:SHOWN])
    if set(simulator.log.values(AUDIT)) != set(records):
        yield "the audit topic and the segments differ"


def _refusals(log: ModelLog, given: Given) -> Iterator[str]:
    found: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for value in log.values(QUARANTINE):
        record = unpack(value)[1]
        found[(record["topic"], record["partition"], record["offset"])].add(record["reason"])
    for place, reason in sorted(given.refused.items()):
        if found.get(place) != {reason.value}:
            yield f"{place} is refused for {sorted(found.get(place, ())) or 'nothing'} instead of {reason.value}"
    yield from _some("refused without need: {}", found.keys() - given.refused.keys())


def _ends(simulator: Simulator) -> Iterator[str]:
    for end in simulator.ends:
        if isinstance(end.error, AssayError) and end.error.reason not in ORDERLY:
            yield f"a process of {end.lane} ended with {end.error}"


def _some(sentence: str, found: Iterable[object]) -> Iterator[str]:
    """One sentence for all of them, with the first few."""
    listed = sorted(str(one) for one in found)
    if listed:
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        yield sentence.format(", ".join(listed[:SHOWN])) + more
