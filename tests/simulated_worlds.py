"""Small worlds for the simulator, their runs, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from random import Random
from typing import Any, NamedTuple

from oracles import checks
from oracles.checks import Given, digest_of, values_of, violations
from records import (
    CONTEXT,
    CONTROL,
    DAY_US,
    INPUTS,
    LABELS,
    OTHER_PINS,
    PINS,
    POSTURE,
    T0_US,
    TRAFFIC,
    context_fact,
    label,
    mark,
    payment,
    posture,
    run_ready,
)

from assay.agents.step import TopicPartition
from assay.app.lane.assembly import partition_counts
from assay.app.policy.documents import document
from assay.app.run.directory import RunConfig
from assay.app.simulation.faults import Planted
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.snapshots.taking import SnapshotPace
from assay.codecs.columns import Strings
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import unpack
from assay.contracts.reasons import Reason

LANES = ("rtdl", "act", "audit")


class Event(NamedTuple):
    """An input record and where it belongs. `ts_us` is its place in the order of publication."""

    handle: str
    key: str
    ts_us: int
    value: bytes
    refused: Reason | None = None


class World(NamedTuple):
    """Events in order of event time, and the ids of the payments among them that are to be decided."""

    events: Sequence[Event]
    payments: frozenset[str]


def small_world(seed: int = 1, payments: int = 60, *, with_posture: bool = True, pause_days: int = 0) -> World:
    """Payments of few customers at few terminals over ten days, context facts, and labels a week after their payments.

    A pause in the middle is for all to be forgotten; some customers do not come back then.
    """
    random = Random(seed)
    events = [Event(CONTROL, "run", T0_US, run_ready())]
    if with_posture:
        events.append(Event(POSTURE, "run", T0_US, posture()))
    ids = []
    for i in range(payments):
        later = pause_days and 2 * i >= payments
        ts_us = T0_US + 1 + i * 10 * DAY_US // payments + random.randrange(3) + (pause_days * DAY_US if later else 0)
        customer, terminal = f"c{random.randrange(5) + (2 if later else 0)}", f"t{random.randrange(4)}"
        ids.append(f"e{i}")
        value = payment(f"e{i}", ts_us, random.choice((900, 2_500, 19_000, 25_000)), {"customer": customer, "terminal": terminal})
        events.append(Event(TRAFFIC, customer, ts_us, value))
        if random.random() < 0.7:
            known = ts_us + 7 * DAY_US
            events.append(Event(LABELS, f"e{i}", known, label(f"l{i}", known, f"e{i}", ts_us, random.choice(("FRAUD", "LEGIT")))))
        if random.random() < 0.2:
            events.append(Event(CONTEXT, customer, ts_us, context_fact(f"f{i}", ts_us, {"customer": customer})))
    return World(sorted(events, key=lambda event: event.ts_us), frozenset(ids))


def troubled_world(seed: int, payments: int = 280) -> World:
    """A small world whose producers err: payments come twice, with another payload, of another run, too late, among labels;
    labels speak of payments nobody knows; the posture changes on the way, and ids are forgotten in a long pause.
    """
    random, plain = Random(seed), small_world(seed, payments, pause_days=50)
    events = list(plain.events)
    # a mark comes within a day, but for the day before the pause and the last one
    quiet = (4 * DAY_US, 5 * DAY_US), (59 * DAY_US, 60 * DAY_US)
    traffic = [event for event in plain.events if event.handle == TRAFFIC]
    traffic = [event for event in traffic if not any(first <= event.ts_us - T0_US <= last for first, last in quiet)]
    for number, event in enumerate(random.sample(traffic, payments // 7)):
        name, ts_us = f"x{number}", event.ts_us
        events.append(random.choice((
            event,
            Event(TRAFFIC, event.key, ts_us + 1, _again(event), Reason.PAYLOAD_HASH_MISMATCH),
            Event(TRAFFIC, event.key, ts_us, payment(name, ts_us, pins=OTHER_PINS), Reason.RUN_SCOPE_MISMATCH),
            Event(TRAFFIC, event.key, ts_us + DAY_US, payment(name, ts_us), Reason.LATE_BEYOND_WATERMARK),
            Event(LABELS, event.key, ts_us, payment(name, ts_us), Reason.RECORD_TYPE_UNEXPECTED),
            Event(LABELS, event.key, ts_us, label(f"l{name}", ts_us, name, ts_us), Reason.LABEL_SUBJECT_UNKNOWN),
        )))  # fmt: skip
    for number, mode in enumerate(("DEGRADED_1", "NORMAL"), 2):
        at_us = random.choice(traffic).ts_us
        action_posture = "STEP_UP_ONLY" if mode != "NORMAL" else "NORMAL"
        events.append(Event(POSTURE, "run", at_us, posture(at_us, mode, number, action_posture)))
    return World(sorted(events, key=lambda event: event.ts_us), plain.payments)


def _again(event: Event) -> bytes:
    """Another payload under the same event id, a microsecond later: the first one stands."""
    _, record = unpack(event.value)
    return payment(record["event_id"], event.ts_us + 1, 1, payload="another")


@cache
def config() -> RunConfig:
    """A run under the handbook's features and rules."""
    return RunConfig(**PINS.as_json(), run_id="0" * 32, features=document("handbook", "features"), policy=document("handbook", "rules"))


def inputs(world: World, partitions: int, marks_every: int = 10) -> list[tuple[TopicPartition, LoggedRecord]]:
    """The input topics as the gate fills them: events in their partitions, a mark on every partition now and then, final marks."""
    counts, found = partition_counts(partitions), list[tuple[TopicPartition, LoggedRecord]]()
    for number, event in enumerate(world.events):
        if number and number % marks_every == 0:
            found += _marks(counts, event.ts_us, final=False)
        tp = (event.handle, _partition(event.key, counts[event.handle]))
        found.append((tp, LoggedRecord(event.key.encode(), event.value, 0)))
    return [*found, *_marks(counts, world.events[-1].ts_us + 1, final=True)]


@cache
def _partition(key: str, count: int) -> int:
    return int(partitions_of(Strings.of([key]), count)[0])


@cache
def _mark(tp: TopicPartition, ts_us: int, *, final: bool) -> bytes:
    return mark(*tp, ts_us, final=final)


def _marks(counts: Mapping[str, int], ts_us: int, *, final: bool) -> list[tuple[TopicPartition, LoggedRecord]]:
    tps = [(handle, partition) for handle in INPUTS for partition in range(counts[handle])]
    return [(tp, LoggedRecord(b"", _mark(tp, ts_us, final=final), 0)) for tp in tps]


def published(world: World, partitions: int, marks_every: int = 10) -> ModelLog:
    """A log that holds the whole input before anything runs."""
    log = ModelLog()
    for tp, record in inputs(world, partitions, marks_every):
        log.append(tp, record)
    return log


class Finished(NamedTuple):
    """A run that came to rest."""

    log: ModelLog
    simulator: Simulator
    effector: KeyedEffector


def run(
    world: World,
    faults: Iterable[Planted] = (),
    seed: int = 0,
    partitions: int = 1,
    rows_max: int = 7,
    *,
    standbys: bool = False,
    under: RunConfig | None = None,
) -> Finished:
    """Run all lanes over a world until nothing moves; standbys take snapshots. `under`: the run's configuration, if not `config`."""
    log, effector = published(world, partitions), KeyedEffector()
    lanes = simulated_lanes(under or config(), partition_counts(partitions), effector.execute, rows_max)
    simulator = Simulator(lanes, log, seed, faults, fetch_max=25, standbys=standbys, pace=SnapshotPace(3, 0.0))
    simulator.run()
    return Finished(log, simulator, effector)


@lru_cache(10_000)
def read(value: bytes) -> dict[str, Any]:
    """A record as a dict; not to be changed."""
    return unpack(value)[1]


def decisions(log: ModelLog) -> dict[str, bytes]:
    """The decision on each event. Fails if one was decided twice in effect: only byte-identical repeats may be there."""
    found = checks.decisions(log)
    assert all(len(forms) == 1 for forms in found.values()), "decided twice in effect"
    return {event: next(iter(forms)) for event, forms in found.items()}


def outcomes(log: ModelLog) -> dict[bytes, dict[str, Any]]:
    """The outcome of each action, by action id."""
    records = [read(value or b"") for value in values_of(log, "action_outcome").tolist()]
    return {record["action_id"]: record for record in records}


def decision_digest(log: ModelLog) -> str:
    """The digest of all decisions, in order of event time and id."""
    return digest_of(checks.decisions(log))


def given(world: World, finished: Finished, digest: str) -> Given:
    """What went into a run: the world, and what faults have published to its inputs."""
    bad = {event.value: event.refused for event in world.events if event.refused}
    refused = {(*found.tp, found.offset): found.reason for found in finished.simulator.poison.planted}
    for tp in finished.log.tps():
        if tp[0] in INPUTS:
            for offset, record in enumerate(finished.log.read(tp, 0, finished.log.end(tp))):
                if reason := bad.get(record.value):
                    refused[(*tp, offset)] = reason
    return Given(PINS, world.payments, refused, digest)


def assert_promises(world: World, finished: Finished, digest: str | None = None) -> None:
    """Nothing that must hold of a run is violated; its decisions are those of this digest, if one is given."""
    expected = given(world, finished, digest or decision_digest(finished.log))
    assert violations(finished.simulator, expected, finished.effector) == []
