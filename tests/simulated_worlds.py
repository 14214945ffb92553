"""A small world for the simulator, its run under planted faults, and what must hold of any such run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from random import Random
from typing import Any, NamedTuple

from records import (
    CONTEXT,
    CONTROL,
    DAY_US,
    INPUTS,
    LABELS,
    PINS,
    POSTURE,
    RTDL,
    T0_US,
    TRAFFIC,
    context_fact,
    label,
    mark,
    payment,
    posture,
    run_ready,
)

from assay.agents.audit_segment import read_segment
from assay.agents.decision_digest import DecisionDigest
from assay.agents.journal import JournalRecord
from assay.agents.topology import TOPOLOGY
from assay.app.demo.new_run import document
from assay.app.lanes import partition_counts
from assay.app.run_directory import RunConfig
from assay.app.simulated_lanes import SEGMENTS, KeyedEffector, simulated_lanes
from assay.app.simulator import Fault, ModelLog, Record, Simulator
from assay.codecs.columns import Strings
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import record_type, unpack

AUDIT, QUARANTINE = "FP_BUS_AUDIT_V1", "FP_BUS_QUARANTINE_V1"
LANES = ("rtdl", "act", "audit")


class Event(NamedTuple):
    """An input record and where it belongs."""

    handle: str
    key: str
    ts_us: int
    value: bytes


class World(NamedTuple):
    """Events in order of event time, and the ids of the payments among them."""

    events: Sequence[Event]
    payments: frozenset[str]


def small_world(seed: int = 1, payments: int = 60, *, with_posture: bool = True) -> World:
    """Payments of few customers at few terminals over ten days, context facts, and labels a week after their payments."""
    random = Random(seed)
    events = [Event(CONTROL, "run", T0_US, run_ready())]
    if with_posture:
        events.append(Event(POSTURE, "run", T0_US, posture()))
    ids = []
    for i in range(payments):
        ts_us = T0_US + 1 + i * 10 * DAY_US // payments + random.randrange(3)
        customer, terminal = f"c{random.randrange(5)}", f"t{random.randrange(4)}"
        ids.append(f"e{i}")
        value = payment(f"e{i}", ts_us, random.choice((900, 2_500, 19_000, 25_000)), {"customer": customer, "terminal": terminal})
        events.append(Event(TRAFFIC, customer, ts_us, value))
        if random.random() < 0.7:
            known = ts_us + 7 * DAY_US
            events.append(Event(LABELS, f"e{i}", known, label(f"l{i}", known, f"e{i}", ts_us, random.choice(("FRAUD", "LEGIT")))))
        if random.random() < 0.2:
            events.append(Event(CONTEXT, customer, ts_us, context_fact(f"f{i}", ts_us, {"customer": customer})))
    return World(sorted(events, key=lambda event: event.ts_us), frozenset(ids))


@cache
def config() -> RunConfig:
    """A run under the handbook's features and rules."""
    return RunConfig(**PINS.as_json(), run_id="0" * 32, features=document("handbook", "features"), policy=document("handbook", "rules"))


def published(world: World, partitions: int, marks_every: int = 10) -> ModelLog:
    """The input topics as the gate leaves them: events in their partitions, a mark on every partition now and then, final marks."""
    log, counts = ModelLog(), partition_counts(partitions)
    for number, event in enumerate(world.events):
        if number and number % marks_every == 0:
            _mark(log, counts, event.ts_us, final=False)
        partition = int(partitions_of(Strings.of([event.key]), counts[event.handle])[0])
        log.append((event.handle, partition), Record(event.key.encode(), event.value, 0))
    _mark(log, counts, world.events[-1].ts_us + 1, final=True)
    return log


def _mark(log: ModelLog, counts: dict[str, int], ts_us: int, *, final: bool) -> None:
    for handle in INPUTS:
        for partition in range(counts[handle]):
            log.append((handle, partition), Record(b"", mark(handle, partition, ts_us, final=final), 0))


class Finished(NamedTuple):
    """A run that came to rest."""

    log: ModelLog
    simulator: Simulator
    effector: KeyedEffector


def run(world: World, faults: Iterable[Fault] = (), seed: int = 0, partitions: int = 1, rows_max: int = 7) -> Finished:
    """Run all lanes over a world until nothing moves."""
    log, effector = published(world, partitions), KeyedEffector()
    simulator = Simulator(
        simulated_lanes(config(), partition_counts(partitions), effector.execute, rows_max), log, seed, faults, fetch_max=25
    )
    simulator.run()
    return Finished(log, simulator, effector)


@lru_cache(10_000)
def read(value: bytes) -> dict[str, Any]:
    """A record as a dict; not to be changed."""
    return unpack(value)[1]


def decisions(log: ModelLog) -> dict[str, bytes]:
    """The decision on each event. Fails if one was decided twice in effect: only byte-identical repeats may be there."""
    found: dict[str, set[bytes]] = defaultdict(set)
    for value in log.values(RTDL):
        if value.startswith(record_type("decision_response").header):
            found[read(value)["source_event"]["event_id"]].add(value)
    assert all(len(values) == 1 for values in found.values()), "decided twice in effect"
    return {event: values.pop() for event, values in found.items()}


def outcomes(log: ModelLog) -> dict[bytes, dict[str, Any]]:
    """The outcome of each action, by action id; none in two versions."""
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for value in log.values(RTDL):
        if value.startswith(record_type("action_outcome").header):
            found[read(value)["action_id"]].add(value)
    assert all(len(values) == 1 for values in found.values()), "an action has two outcomes"
    return {action: read(values.pop()) for action, values in found.items()}


def decision_digest(log: ModelLog) -> str:
    """The digest of all decisions, in order of event time and id."""
    ordered = sorted(decisions(log).values(), key=_time_and_id)
    digest = DecisionDigest()
    digest.update(Strings.of(ordered))
    return digest.hexdigest()


def _time_and_id(value: bytes) -> tuple[int, str]:
    source = read(value)["source_event"]
    return source["ts_utc"], source["event_id"]


def audited(log: ModelLog) -> list[bytes]:
    """Audit records of the segments, in order."""
    return [value or b"" for segment in log.values(SEGMENTS) for value in read_segment(segment).values.tolist()]


def assert_each_offset_once(log: ModelLog) -> None:
    """Every record of a lane's input is in its journal, and in no two of its records."""
    for name in ("rtdl", "act"):
        covered: Counter[tuple[str, int, int]] = Counter()
        spec = TOPOLOGY.lane(name)
        for value in log.values(spec.journal or ""):
            for handle, partition, first, last in JournalRecord.from_bytes(value).ranges:
                covered.update((handle, partition, offset) for offset in range(first, last + 1))
        assert set(covered.values()) == {1}, f"{name} has journaled an offset twice"
        ends = {place: log.end(place) for place in log.places() if place[0] in spec.ranks}
        assert set(covered) == {(*place, offset) for place, end in ends.items() for offset in range(end)}, f"{name} has left an offset out"


def assert_promises(world: World, finished: Finished) -> None:
    """No event without a decision, none decided twice in effect; every decision one outcome and one audit record; each key
    executed once; every input offset journaled once; what is on the audit topic is what the segments hold."""
    log = finished.log
    assert_each_offset_once(log)
    decided = decisions(log)
    assert set(decided) == world.payments
    actions = {read(value)["intent"]["action_id"] for value in decided.values()}
    assert set(outcomes(log)) == actions
    assert {outcome["status"] for outcome in outcomes(log).values()} == {"EXECUTED"}
    assert set(finished.effector.calls.values()) == {1}, "an effector was called twice for one key"
    assert len(finished.effector.calls) == len(actions)
    records = audited(log)
    assert len(records) == len(decided), "audit records and decisions differ in number"
    assert {read(record)["decision"]["source_event"]["event_id"] for record in records} == world.payments
    assert set(log.values(AUDIT)) == set(records)
    assert finished.simulator.machine("audit").finished()  # type: ignore[attr-defined]  # the audit machine has it
