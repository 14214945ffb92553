"""Streaming can be interrupted, refused and repeated anywhere: everything arrives, and a mark never promises too much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sent_sequences import payments_of
from small_runs import config_of
from small_worlds import ROWS, small_world
from taking_gate import TakingGate, promises_kept

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.streamer.checkpoint import Checkpoint, Cursor
from assay.app.streamer.gate_client import Interrupted
from assay.app.streamer.world_streamer import Streamed, StreamOptions, WorldStreamer
from assay.contracts.errors import Retry, Stop
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

ONE_BY_ONE = StreamOptions(batch_rows=1, in_flight=1, batches_per_mark=1)


def _stream(world: SealedWorld, gate: TakingGate, options: StreamOptions = ONE_BY_ONE, stop: asyncio.Event | None = None) -> Streamed:
    checkpoint = Checkpoint(world.store, config_of(world.manifest).scenario_run_id, "scope")
    return asyncio.run(WorldStreamer(payments_of(world), gate, checkpoint, options, stop or asyncio.Event()).run())


def _start_again(world: SealedWorld) -> None:
    (Path(str(getattr(world.store, "root"))) / "wsp" / "checkpoints" / f"{'5' * 32}.json").unlink(missing_ok=True)


def test_everything_arrives_and_the_run_is_complete(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    streamed = _stream(world, gate)
    assert (streamed.position, streamed.total, streamed.complete) == (4, 4, True)
    assert streamed.counts == {"ADMIT": 4, "DUPLICATE": 0}
    promises_kept(gate, 4)


def test_the_final_mark_is_after_every_payment_and_of_their_classes(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    _stream(world, gate)
    assert gate.marks[-1] == (max(gate.taken.values()) + 1, True)
    assert gate.marked == {"traffic", "context"}


def test_a_complete_run_sends_nothing_again(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    _stream(world, TakingGate())
    gate = TakingGate()
    assert _stream(world, gate).complete
    assert gate.calls == 0


@settings(max_examples=drawn(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch_rows=st.integers(1, 8),
    in_flight=st.integers(1, 4),
    batches_per_mark=st.integers(1, 3),
    stops=st.lists(st.integers(1, 12), max_size=4),
    failures=st.lists(st.integers(1, 12), max_size=2),
    body_bytes_max=st.sampled_from([800, 2_000, BODY_BYTES_MAX]),
)
def test_any_interruption_and_failure_is_made_good_by_running_again(
    tmp_path: Path, batch_rows: int, in_flight: int, batches_per_mark: int, stops: list[int], failures: list[int], body_bytes_max: int
) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    _start_again(world)
    options = StreamOptions(batch_rows, in_flight, batches_per_mark, body_bytes_max=body_bytes_max)
    gate.bytes_max = body_bytes_max
    for at in stops:
        stop = asyncio.Event()
        gate.stop, gate.stop_at = stop, gate.calls + at
        _stream(world, gate, options, stop)
    gate.stop = None
    for at in failures:
        gate.fail_at = {gate.calls + at: Retry(Reason.GATE_RETRY_EXHAUSTED, "away")}
        try:
            _stream(world, gate, options)
        except Retry:
            continue
    gate.fail_at = {}
    assert _stream(world, gate, options).complete
    promises_kept(gate, 4)


def test_an_interruption_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    world, stop = small_world(tmp_path), asyncio.Event()
    gate = TakingGate(stop, stop_at=3)
    streamed = _stream(world, gate, stop=stop)
    assert not streamed.complete
    assert streamed.position == len(gate.taken) == 2
    again = TakingGate()
    assert _stream(world, again).complete
    assert len(again.taken) == 2


def test_a_call_given_up_because_of_an_interruption_is_sent_again_later(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    streamed = _stream(world, TakingGate(fail_at={3: Interrupted()}))
    assert (streamed.position, streamed.complete) == (1, False)
    again = TakingGate()
    assert _stream(world, again).complete
    assert len(again.taken) == 3


class CheckingGate(TakingGate):
    """Looks at the checkpoint when a mark comes."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self.kept: list[tuple[int, int]] = []

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        self.kept.append((self._checkpoint.load(4).position, len(self.taken)))
        await super().mark(ts_us, classes, final=final)


def test_the_checkpoint_is_kept_before_the_mark_so_that_no_rerun_marks_backwards(tmp_path: Path) -> None:
    """Whoever dies between the two sends the mark again; the other way round the same rows would come behind their mark."""
    world = small_world(tmp_path)
    gate = CheckingGate(Checkpoint(world.store, config_of(world.manifest).scenario_run_id, "scope"))
    _stream(world, gate, StreamOptions(batch_rows=2, in_flight=1, batches_per_mark=1))
    assert [kept for kept, _ in gate.kept] == [taken for _, taken in gate.kept]
    assert len(gate.kept) > 3


def test_a_stream_that_goes_on_marks_first(tmp_path: Path) -> None:
    """The process before it may have died between its checkpoint and its mark, and the lanes wait for that mark."""
    world = small_world(tmp_path)
    with pytest.raises(Retry):
        _stream(world, TakingGate(fail_at={4: Retry(Reason.GATE_RETRY_EXHAUSTED, "away")}))
    again = TakingGate()
    _stream(world, again)
    (first, marked_us), (second, row_us) = again.history[:2]
    assert (first, second) == ("mark", "row")
    assert marked_us == row_us


def test_a_failure_keeps_what_was_acknowledged_and_not_marked_yet(tmp_path: Path) -> None:
    world, options = small_world(tmp_path), StreamOptions(batch_rows=1, in_flight=1, batches_per_mark=100)
    with pytest.raises(Retry):
        _stream(world, TakingGate(fail_at={4: Retry(Reason.GATE_RETRY_EXHAUSTED, "away")}), options)
    again = TakingGate()
    _stream(world, again, options)
    assert len(again.taken) == 4 - 2


def test_a_refusal_stops_the_stream_and_names_itself(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    with pytest.raises(Stop, match="GATE_REJECTED"):
        _stream(world, TakingGate(fail_at={1: Stop(Reason.GATE_REJECTED, "no")}))


def test_a_row_that_no_call_can_hold_stops_the_stream_behind_the_rows_before_it(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path, {**ROWS, "channel": ["web", None, "x" * 900, "web"]}), TakingGate()
    options = StreamOptions(in_flight=1, body_bytes_max=1_500)
    for _ in range(2):  # the same command says the same
        with pytest.raises(Stop, match="BODY_OVER_LIMIT: the transaction"):
            _stream(world, gate, options)
        assert len(gate.taken) == 3


def test_paced_streaming_sends_what_is_due_and_marks_it_while_it_waits(tmp_path: Path) -> None:
    world, gate = small_world(tmp_path), TakingGate()
    config = config_of(world.manifest)
    clock = iter(range(0, 10**12, 10**10))
    options = StreamOptions(batch_rows=100, in_flight=1, batches_per_mark=100, speedup=10.0)
    checkpoint = Checkpoint(world.store, config.scenario_run_id, "paced")
    streamer = WorldStreamer(payments_of(world), gate, checkpoint, options, asyncio.Event(), wall_us=lambda: next(clock))
    assert asyncio.run(streamer.run()).complete
    promises_kept(gate, 4)
    assert len(gate.marks) > 1, "marks follow while nothing is due"


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    store = small_world(tmp_path).store
    Checkpoint(store, "5" * 32, "mine").save(Cursor(3))
    assert Checkpoint(store, "5" * 32, "mine").load(7) == Cursor(3)
    with pytest.raises(Stop, match="CHECKPOINT_MISMATCH"):
        Checkpoint(store, "5" * 32, "other").load(7)
    with pytest.raises(Stop, match="CHECKPOINT_MISMATCH"):
        Checkpoint(store, "5" * 32, "mine").load(2)


@pytest.mark.parametrize(
    "held", [b"", b"[]", b"\xff", b"[" * 5_000, b'{"scope":"mine","position":"3","complete":false}', b'{"scope":"mine"}']
)
def test_a_checkpoint_that_cannot_be_read_is_refused(tmp_path: Path, held: bytes) -> None:
    store = small_world(tmp_path).store
    store.replace(f"wsp/checkpoints/{'5' * 32}.json", held)
    with pytest.raises(Stop, match="CHECKPOINT_MISMATCH"):
        Checkpoint(store, "5" * 32, "mine").load(7)
