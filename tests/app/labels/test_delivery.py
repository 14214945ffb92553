"""Labels are delivered by a process of their own: killed anywhere and started again, each is posted under one id, and no mark promises
too much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sent_sequences import DAY_US, labels_of, read
from small_runs import config_of
from small_worlds import ROWS, small_world
from taking_gate import TakingGate, promises_kept

from assay.app.labels.delivery import FOLDER, NAME, delivery_of, undelivered_text
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Checkpoint, Cursor
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.world_streamer import Streamed, StreamOptions, WorldStreamer
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

LABELS = 60
SMALL = StreamOptions(batch_rows=4, in_flight=2, batches_per_mark=2)
KILLS = 10


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SealedWorld:
    """Payments of one hour, three a minute, each with a label."""
    rows = {name: [values[0]] * LABELS for name, values in ROWS.items()}
    times = [f"2018-04-01T00:{second // 3:02}:00Z" for second in range(LABELS)]
    return small_world(tmp_path_factory.mktemp("world"), {**rows, "id": list(range(LABELS)), "at": times, "why": [""] * LABELS})


class Killed(BaseException):
    """The process was killed."""


class MortalStore(DirectoryStore):
    """A folder to which a killed process writes nothing any more."""

    alive = True

    def replace(self, key: str, data: bytes) -> None:
        """Write while the process lives."""
        if self.alive:
            super().replace(key, data)


class KillingGate(TakingGate):
    """Kills its caller at a call, before the call was taken or after: then its answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.store: MortalStore | None = None
        self.kill_at, self.taken_first = -1, False

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Take a batch, or kill."""
        number = self.calls + 1
        self._kill(number, taken=False)
        answer = await super().ingest(body)
        self._kill(number, taken=True)
        return answer

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Take a mark, or kill."""
        number = self.calls + 1
        self._kill(number, taken=False)
        await super().mark(ts_us, classes, final=final)
        self._kill(number, taken=True)

    def _kill(self, number: int, *, taken: bool) -> None:
        if self.store is None:
            return
        if number == self.kill_at and taken is self.taken_first:
            self.store.alive = False
        if not self.store.alive:  # a process that is gone sends nothing more
            raise Killed


def _deliver(world: SealedWorld, gate: TakingGate, store: DirectoryStore, options: StreamOptions = SMALL) -> Streamed:
    checkpoint = Checkpoint(store, config_of(world.manifest).scenario_run_id, "scope", FOLDER)
    return asyncio.run(WorldStreamer(labels_of(world, DAY_US), gate, checkpoint, options, asyncio.Event()).run())


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_ten_points_nothing_is_lost_and_nothing_has_two_ids(seed: int, world: SealedWorld, tmp_path: Path) -> None:
    random, gate, kills = Random(seed), KillingGate(), 0
    for _ in range(KILLS):
        gate.store = MortalStore(tmp_path)
        gate.kill_at, gate.taken_first = gate.calls + random.randint(1, 9), random.random() < 0.5
        try:
            _deliver(world, gate, gate.store)
        except Killed:
            kills += 1
    gate.store = None
    assert _deliver(world, gate, DirectoryStore(tmp_path)).complete
    assert kills > 3
    assert set(gate.taken) == {event["event_id"] for event in read(labels_of(world, DAY_US))}
    promises_kept(gate, LABELS)


@settings(max_examples=drawn(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 20),
    in_flight=st.integers(1, 4),
    per_mark=st.integers(1, 3),
    failures=st.lists(st.integers(1, 9), max_size=4),
)
def test_any_failure_is_made_good_by_running_again(
    tmp_path_factory: pytest.TempPathFactory, world: SealedWorld, rows: int, in_flight: int, per_mark: int, failures: list[int]
) -> None:
    gate, store = TakingGate(), DirectoryStore(tmp_path_factory.mktemp("store"))
    options = StreamOptions(rows, in_flight, per_mark)
    for at in failures:
        gate.fail_at = {gate.calls + at: Retry(Reason.GATE_RETRY_EXHAUSTED, "away")}
        try:
            _deliver(world, gate, store, options)
        except Retry:
            continue
    gate.fail_at = {}
    assert _deliver(world, gate, store, options).complete
    promises_kept(gate, LABELS)


def test_labels_are_marked_and_no_other_class(world: SealedWorld, tmp_path: Path) -> None:
    gate = TakingGate()
    assert _deliver(world, gate, DirectoryStore(tmp_path)).counts == {"ADMIT": LABELS, "DUPLICATE": 0}
    assert gate.marked == {"label"}


def test_the_first_mark_comes_before_the_first_label_so_that_earlier_payments_need_not_wait(world: SealedWorld, tmp_path: Path) -> None:
    gate = TakingGate()
    _deliver(world, gate, DirectoryStore(tmp_path))
    (first, marked_us), (second, row_us) = gate.history[:2]
    assert (first, second, marked_us) == ("mark", "row", row_us)


def test_a_world_without_labels_is_marked_as_final(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path, truth=None), TakingGate()
    assert _deliver(world, gate, DirectoryStore(tmp_path / "other"))[:4] == (0, 0, True, {})
    assert gate.marks == [(world.manifest.max_ts_us + 1, True)]
    assert gate.marked == {"label"}


def test_an_interruption_finishes_what_is_on_its_way(world: SealedWorld, tmp_path: Path) -> None:
    stop, store = asyncio.Event(), DirectoryStore(tmp_path)
    gate = TakingGate(stop, stop_at=4)
    checkpoint = Checkpoint(store, config_of(world.manifest).scenario_run_id, "scope", FOLDER)
    ended = asyncio.run(WorldStreamer(labels_of(world, DAY_US), gate, checkpoint, SMALL, stop).run())
    assert (ended.complete, ended.position) == (False, len(gate.taken))
    again = TakingGate()
    assert _deliver(world, again, store).complete
    assert len(again.taken) == LABELS - ended.position


def test_paced_labels_wait_for_their_time_from_the_first_payment_on(world: SealedWorld, tmp_path: Path) -> None:
    """The first label is known a day after the first payment: before that day is over in paced time, nothing is posted but a mark."""
    labels, gate = labels_of(world, DAY_US), TakingGate()
    asked: list[int] = []

    def wall_us() -> int:
        asked.append(len(gate.taken))
        return len(asked) * DAY_US // 100

    options = StreamOptions(batch_rows=100, in_flight=1, batches_per_mark=1, speedup=10.0)
    checkpoint = Checkpoint(DirectoryStore(tmp_path), "5" * 32, "scope", FOLDER)
    begin_us = labels.due_from_us(0)
    asyncio.run(WorldStreamer(labels, gate, checkpoint, options, asyncio.Event(), wall_us=wall_us, begin_us=begin_us).run())
    assert asked[:10] == [0] * 10
    assert len(gate.taken) == LABELS


def _run_over(world: SealedWorld, folder: Path, **changes: Any) -> Run:
    config = config_of(world.manifest, **changes)
    made = Run(directory=folder, config=config, bootstrap="nowhere:1", dsn="", gate_url="http://127.0.0.1:1", api_key="k")
    made.save()
    return made


def _keepers(run: Run, world: SealedWorld, folder: str = FOLDER) -> Keepers:
    return Keepers(run, world.manifest.oracle_pack_id, load_settings(), folder)


def test_who_has_sent_the_payments_is_told_of_labels_that_nobody_delivered(world: SealedWorld, tmp_path: Path) -> None:
    run = _run_over(world, tmp_path)
    keepers = _keepers(run, world)
    assert "`assay labels deliver`, which has delivered 0 so far. The lanes decide" in undelivered_text(run, keepers)
    keepers.of(NAME).save(Cursor(LABELS))
    assert "delivered 60 so far" in undelivered_text(run, keepers), "the final mark is missing"
    keepers.of(NAME).save(Cursor(LABELS, complete=True))
    assert undelivered_text(run, keepers) == ""


def test_in_order_of_arrival_no_lane_waits_and_none_is_said_to(world: SealedWorld, tmp_path: Path) -> None:
    run = _run_over(world, tmp_path, ordering="arrival")
    assert "lanes" not in undelivered_text(run, _keepers(run, world))


def test_a_delivery_goes_on_where_its_own_checkpoint_says(world: SealedWorld, tmp_path: Path) -> None:
    run = _run_over(world, tmp_path, label_delay_us=DAY_US)
    known, keepers = labels_of_world(world, DAY_US), _keepers(run, world)
    _keepers(run, world, "wsp").of(NAME).save(Cursor(31))  # the streamer's
    assert delivery_of(run, known, keepers, SMALL)[:3] == ("delivered", LABELS, 0)
    keepers.of(NAME).save(Cursor(7))
    assert delivery_of(run, known, keepers, SMALL)[:3] == ("delivered", LABELS, 7)
