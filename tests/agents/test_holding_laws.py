"""Laws of rows that a step holds: no batch, restart, crash, duplicate or delay changes a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from await_context import CODE, DECISIONS, S_US, WAIT_US, WALL_US, awaiting, decided, fact, lane, pay, step_of
from effort import drawn, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import wired
from records import CONTEXT, LABELS, T0_US, TRAFFIC, chunk, context_fact, label, payment
from simulated_worlds import config, decision_digest, inputs, troubled_world
from states import read_back, written, written_without_versions

from assay.agents.lane import LaneMachine
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.simulation.faults import Crash, Delay, Duplicate, Planted, Reorder
from assay.app.simulation.lanes import KeyedEffector, simulated_lane
from assay.app.simulation.log import ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.snapshots.taking import SnapshotPace
from assay.codecs.columns import Columns, concat, rows, take
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, TICK, JournalRecord
from assay.codecs.single_object import unpack


@cache
def held_rows_of(ordering: str) -> Columns:
    """All rows of a world as one batch: payments with and without facts, duplicates among them."""
    one = lane(ordering)
    for place, record in inputs(troubled_world(3, 120), 1, 20):
        one.receive(chunk(place[0], [record.value], next_offset(one, place)))
    entry = one.next_entry(WALL_US)
    assert entry is not None
    whole = {n: c for n, c in JournalRecord.from_bytes(entry.value).columns.items() if n.startswith("row.")}
    assert rows(whole) > 100
    return whole


def next_offset(one: LaneMachine, place: tuple[str, int]) -> int:
    return one._input._merge.next_unseen(place)


def play(ordering: str, cuts: Sequence[int], bytes_max: int, given: Columns | None = None) -> tuple[list[Any], list[bytes]]:
    """Fold rows, cut into journal records at these places: decisions in order, and the states of all steps."""
    whole, one = held_rows_of(ordering) if given is None else given, lane(ordering, bytes_max)
    edges = [0, *sorted({cut for cut in cuts if cut < rows(whole)}), rows(whole)]
    found: list[Any] = []
    for sequence, (start, stop) in enumerate(zip(edges, edges[1:], strict=False), 1):
        columns = take(whole, np.arange(start, stop))
        record = JournalRecord(0, 1, sequence, BATCH, 0, -1, CODE, one.identity.run_config_digest, [], [], stop - start, block_of(columns))
        for emission in one.apply(record.to_bytes()).emissions:
            if emission.handle == DECISIONS:
                bodies = [unpack(value or b"")[1] for value in emission.values.tolist()]
                found += [{name: field for name, field in body.items() if name not in ("basis", "row")} for body in bodies]
    return found, [written_without_versions(step.step) for step in wired(one)]


@pytest.mark.parametrize("ordering", ["event_time", "arrival"])
@pytest.mark.parametrize("bytes_max", [2_000, 1_000_000])
@settings(max_examples=drawn(15), deadline=None)
@given(cuts=st.lists(st.integers(1, 200), max_size=8))
def test_any_split_gives_identical_decisions_and_state(ordering: str, bytes_max: int, cuts: list[int]) -> None:
    found, states = play(ordering, cuts, bytes_max)
    assert (found, states) == whole_of(ordering, bytes_max)
    assert found


@cache
def whole_of(ordering: str, bytes_max: int) -> tuple[list[Any], list[bytes]]:
    return play(ordering, [], bytes_max)


def mixed_rows(seed: int) -> Columns:
    """Rows in order of event time: payments that wait, payments without a customer, facts, labels of either, and repeated payments."""
    random, at_s, sent = Random(seed), 0, list[tuple[str, int, bytes]]()
    one, next_of = lane("arrival"), Counter[str]()
    parts: list[Columns] = []
    for number in range(random.randint(4, 40)):
        at_s += random.choice((0, 0, 1, 20, 40, 60, 3_600, 5 * 86_400))
        ts_us, kind = T0_US + at_s * S_US, random.random()
        if kind < 0.6 or not sent:
            ids = {"terminal": random.choice("xyz")} | ({"customer": random.choice("abcd")} if kind < 0.35 else {})
            sent.append((f"p{number}", ts_us, payment(f"p{number}", ts_us, entities=ids)))
            handle, value = TRAFFIC, sent[-1][2]
        elif kind < 0.75:
            handle, value = CONTEXT, context_fact(f"f{number}", ts_us, {"customer": random.choice("abcd")})
        elif kind < 0.95:
            event_id, paid_us, _ = random.choice(sent[-6:])
            handle, value = LABELS, label(f"l{number}", ts_us, event_id, paid_us)
        else:
            handle, value = TRAFFIC, random.choice(sent[-5:])[2]
        one.receive(chunk(handle, [value], next_of[handle]))
        next_of[handle] += 1
        entry = one.next_entry(WALL_US)
        assert entry is not None
        parts.append(JournalRecord.from_bytes(entry.value).columns)
    whole = concat(parts)
    return take(whole, np.argsort(np.asarray(whole["row.ts_us"]), kind="stable"))


@pytest.mark.parametrize("ordering", ["event_time", "arrival"])
@pytest.mark.parametrize("seed", range(25))
def test_no_cut_changes_what_becomes_of_labels_and_of_payments_that_wait_for_nothing(ordering: str, seed: int) -> None:
    given, random = mixed_rows(seed), Random(-seed)
    bytes_max = random.choice((1, 2_000, 1_000_000))
    whole = play(ordering, [], bytes_max, given)
    for cuts in (range(1, rows(given)), random.sample(range(1, rows(given)), min(3, rows(given) - 1))):
        assert play(ordering, sorted(cuts), bytes_max, given) == whole


def test_a_state_read_back_holds_the_same_rows_and_goes_on_alike() -> None:
    one, twin = lane("arrival"), lane("arrival")
    one.receive(chunk(TRAFFIC, [pay("a", 1, "c1"), pay("b", 2, "c2")]))
    assert decided(one, one.next_entry(WALL_US)) == []
    twin.restore(one.state())
    for found, other in zip(wired(one), wired(twin), strict=True):
        assert written(other.step) == written(found.step), found.name
        other.step.restore(read_back(found.step))
    twin.unemitted()
    twin.receive(chunk(CONTEXT, [fact("f", 4, "c2")]))
    assert decided(twin, twin.next_entry(WALL_US)) == [("b", 2)]
    assert step_of(twin).release_us() == WALL_US + WAIT_US


def test_a_recovered_lane_releases_what_it_held_before() -> None:
    first = lane("arrival")
    journal = [first.claim_entry(WALL_US).value]
    first.apply(journal[0])
    first.receive(chunk(TRAFFIC, [pay("a", 1, "c1")]))
    entry = first.next_entry(WALL_US)
    assert entry is not None
    again = fold_machine_of(awaiting(), config().model_copy(update={"ordering": "arrival"}), partition_counts(1), code=CODE)
    for value in (lane_claim(), journal[0], entry.value):
        again.recover(value)
    assert again.unemitted() == []
    claim = again.claim_entry(WALL_US + WAIT_US)
    again.apply(claim.value)
    tick = again.next_entry(WALL_US + WAIT_US)
    assert decided(again, tick) == [("a", 1)]


def lane_claim() -> bytes:
    """The claim that `lane` makes."""
    one = fold_machine_of(awaiting(), config().model_copy(update={"ordering": "arrival"}), partition_counts(1), code=CODE)
    one.unemitted()
    return one.claim_entry(WALL_US).value


# -- crash, duplicate, delay, reorder


def simulated(ordering: str, faults: Sequence[Planted] = (), seed: int = 0, partitions: int = 1, rows_max: int = 40) -> ModelLog:
    """The lane with the example over a world in the simulator; under arrival the world has no watermarks to wait for."""
    log, counts = ModelLog(), partition_counts(partitions)
    run = config().model_copy(update={"ordering": ordering})
    waiting = awaiting(wait_us=WAIT_US if ordering == "event_time" else 500_000)
    one = simulated_lane(waiting, run, counts, KeyedEffector().execute, rows_max, CODE)
    feed = inputs(troubled_world(2, 120), partitions, 20)
    Simulator([one], log, seed, faults, fetch_max=60, feed=feed, lot_max=50, standbys=True, pace=SnapshotPace(3, 0.0)).run()
    return log


FAULTS = (
    Planted(Crash(), "rtdl", "computed", 2),
    Planted(Duplicate(20), "rtdl", "fetched", 3),
    Planted(Delay(200_000), "rtdl", "fetched", 4),
    Planted(Reorder(10, 50_000), "rtdl", "fetched", 5),
    Planted(Crash(), "rtdl", "journal_acknowledged", 5),
)


@cache
def undisturbed() -> str:
    return decision_digest(simulated("event_time", rows_max=5_000))


@pytest.mark.parametrize("seed", seeds(4, 2))
def test_no_pacing_partition_count_crash_or_delay_changes_a_decision_on_held_rows(seed: int) -> None:
    log = simulated("event_time", FAULTS, seed, partitions=1 + 2 * (seed % 2), rows_max=(12, 40)[seed // 2])
    assert decision_digest(log) == undisturbed()


@pytest.mark.parametrize("seed", seeds(3))
def test_under_arrival_every_payment_is_decided_once_in_effect_and_a_replay_gives_the_same_bytes(seed: int) -> None:
    log = simulated("arrival", FAULTS, seed)
    world = troubled_world(2, 120)
    journal = log.values("FP_JOURNAL_RTDL_V1")
    again = fold_machine_of(awaiting(wait_us=500_000), config().model_copy(update={"ordering": "arrival"}), partition_counts(1), code=CODE)
    given_by_journal = [v for j in journal for e in again.apply(j).emissions if e.handle == DECISIONS for v in e.values.tolist()]
    on_topic = set(log.values(DECISIONS))
    assert set(given_by_journal) == on_topic
    events = [unpack(value)[1]["source_event"]["event_id"] for value in on_topic]
    assert set(events) >= world.payments
    assert len(events) == len(set(events))


def test_the_worker_of_an_idle_lane_writes_the_tick_itself() -> None:
    journals = [simulated("arrival", FAULTS, seed).values("FP_JOURNAL_RTDL_V1") for seed in range(3)]
    assert any(JournalRecord.from_bytes(value).kind == TICK for journal in journals for value in journal)
