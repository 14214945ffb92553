"""READY delivered twice is one streaming run; a failure is tried again; governance is told once and never waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import run_scenario
from sent_sequences import payments_of
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world
from taking_gate import TakingGate

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.topic_reader import TopicRecord
from assay.app.governance import KEY, Family, Governance, events
from assay.app.run.directory import RunConfig
from assay.app.stores.objects import DirectoryStore, ObjectStore
from assay.app.streamer.checkpoint import Checkpoint
from assay.app.streamer.event_kinds import KINDS
from assay.app.streamer.handling import Handling, Sent
from assay.app.streamer.lanes import ALONE, Lane
from assay.app.streamer.ready import await_ready
from assay.app.streamer.ready_ledger import ReadyLedger, ReadyState, message_id_of
from assay.app.streamer.world_streamer import StreamOptions, WorldStreamer
from assay.app.telemetry import Telemetry
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

SMALL = StreamOptions(batch_rows=1, in_flight=1, batches_per_mark=1)


class Streamer:
    """Processes that stream one small world: READY as its runner says it, a gate that remembers, and lines that were said."""

    def __init__(self, folder: Path) -> None:
        self.world = small_world(folder)
        self.store: ObjectStore = self.world.store
        self.config = config_of(self.world.manifest)
        self.gate, self.lines = TakingGate(), list[dict[str, Any]]()
        self.streams = 0
        self.records = list(ready_records(self.config, self.world.store))

    def handling(self, lane: Lane = ALONE, store: ObjectStore | None = None) -> Handling:
        """What a process begins with."""
        at = store or self.store
        governance = Governance(at, self.config, WORLD_STREAMER.name, "", lambda: NOW_US)
        return Handling(ReadyLedger(at, lane, lambda: NOW_US), governance, Telemetry([self.lines.append], KINDS))  # type: ignore[list-item]

    def run(self, lane: Lane = ALONE, downstream: Callable[[], object] = bool, store: ObjectStore | None = None) -> ReadyState | None:
        """One process from READY to its end."""
        handling = self.handling(lane, store)
        try:
            ready = await_ready(
                WORLD_STREAMER, lambda first: self.records[first:], self.config.pins, self.config.digest, 0.0, handling.pass_over
            )
            return handling.handle(ready, downstream, self._stream)
        finally:
            self.unwritten = handling.close(0.2 if store else 60)

    def _stream(self) -> Sent:
        self.streams += 1
        rows = payments_of(self.world, self.config)
        checkpoint = Checkpoint(self.world.store, "5" * 32, "scope")
        streamed = asyncio.run(WorldStreamer(rows, self.gate, checkpoint, SMALL, self.gate.stop or asyncio.Event()).run())
        return Sent(streamed, {"payments": rows.total})

    @property
    def rows(self) -> list[Any]:
        """Rows of the ledger."""
        return ReadyLedger(self.store, ALONE, lambda: NOW_US).rows(message_id_of(self.ready))

    @property
    def ready(self) -> dict[str, Any]:
        return await_ready(WORLD_STREAMER, lambda first: self.records[first:], self.config.pins, self.config.digest, 0.0)

    @property
    def told(self) -> list[str]:
        """Families of the facts that were told."""
        return [event["event_family"] for event in events(self.store)]


def ready_records(config: RunConfig, store: ObjectStore) -> Iterator[TopicRecord]:
    """What the runner of a run says on the control topic."""
    bus = KeptRecords()
    run_scenario(config, store, bus, NOW_US)
    values = [record.value for handle, record in bus.published if handle == "FP_BUS_CONTROL_V1"]
    return (TopicRecord(0, offset, None, value) for offset, value in enumerate(values))


@pytest.fixture
def streamer(tmp_path: Path) -> Streamer:
    return Streamer(tmp_path)


def test_ready_is_streamed_once_however_often_it_is_said(streamer: Streamer) -> None:
    assert streamer.run() is ReadyState.STREAMED
    streamer.records = streamer.records * 2  # READY again, as a re-emission says it
    calls, rows = streamer.gate.calls, streamer.rows
    assert [streamer.run(), streamer.run(Lane(1, 3))] == [ReadyState.SKIPPED_DUPLICATE] * 2
    assert (streamer.streams, streamer.gate.calls, streamer.rows) == (1, calls, rows), "no view is read, nothing sent or written"
    assert rows[0]["counts"] == {"ADMIT": 4, "DUPLICATE": 0}
    assert streamer.told == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]
    assert [line["event_kind"] for line in streamer.lines] == [
        *("READY_SEEN", "STREAM_STARTED", "READY_STREAMED"),
        *("READY_SEEN", "READY_DUPLICATE") * 2,
    ]


def test_what_failed_is_written_down_with_its_reason_and_tried_again(streamer: Streamer) -> None:
    streamer.gate.fail_at = {4: Retry(Reason.GATE_RETRY_EXHAUSTED, "away"), 9: Stop(Reason.GATE_REJECTED, "no")}
    for reason in (Reason.GATE_RETRY_EXHAUSTED, Reason.GATE_REJECTED):
        with pytest.raises(AssayError) as failed:
            streamer.run()
        assert failed.value.reason is reason
    assert streamer.run() is ReadyState.STREAMED
    assert [(row["state"], row.get("reason")) for row in streamer.rows] == [
        ("FAILED", "GATE_RETRY_EXHAUSTED"),
        ("FAILED", "GATE_REJECTED"),
        ("STREAMED", None),
    ]
    assert (len(streamer.gate.taken), streamer.told) == (4, ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"])


def test_an_interrupted_process_leaves_no_row_and_the_next_one_goes_on(streamer: Streamer) -> None:
    streamer.gate.stop, streamer.gate.stop_at = asyncio.Event(), 3
    assert streamer.run() is None
    assert (streamer.rows, streamer.lines[-1]["event_kind"]) == ([], "STREAM_INTERRUPTED")
    streamer.gate.stop = None
    assert streamer.run() is ReadyState.STREAMED


def test_nothing_is_sent_as_long_as_nobody_takes_it(streamer: Streamer) -> None:
    def away() -> None:
        raise Retry(Reason.LANE_NOT_ACTIVE, "no worker runs rtdl/0")

    for _ in range(2):
        with pytest.raises(Retry):
            streamer.run(downstream=away)
    assert [(row["state"], row["reason"]) for row in streamer.rows] == [("DEFERRED_DOWNSTREAM_NOT_READY", "LANE_NOT_ACTIVE")] * 2
    assert (streamer.streams, streamer.told) == (0, ["RUN_READY_SEEN"])
    assert streamer.run() is ReadyState.STREAMED


def test_ready_of_another_platform_run_is_left_alone_and_said_to_be(streamer: Streamer, tmp_path: Path) -> None:
    other = streamer.config.model_copy(update={"platform_run_id": "platform_20250101T000000Z"})
    streamer.records = [*ready_records(other, small_world(tmp_path / "other").store), *streamer.records]
    for at, record in enumerate(streamer.records):
        streamer.records[at] = record._replace(offset=at)
    assert [streamer.run(), streamer.run()] == [ReadyState.STREAMED, ReadyState.SKIPPED_DUPLICATE]
    (foreign,) = [key for key in streamer.store.keys("wsp/ready_runs") if message_id_of(streamer.ready) not in key]
    text = streamer.store.read(foreign).decode()
    assert text.count("\n") == 1
    assert '"reason":"PLATFORM_RUN_SCOPE_MISMATCH"' in text and '"state":"SKIPPED_OUT_OF_SCOPE"' in text
    assert streamer.told == ["RUN_CANCELLED", "RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]
    cancelled = events(streamer.store)[0]
    assert cancelled["dedupe_key"] == f"cancelled:{Path(foreign).stem}:scope_mismatch"
    assert cancelled["details"]["platform_run_id"] == "platform_20250101T000000Z"


def test_ready_of_another_configuration_fails_and_is_written_down(streamer: Streamer) -> None:
    ready, handling = streamer.ready, streamer.handling()
    with pytest.raises(Stop, match="RUN_SCOPE_MISMATCH"):
        await_ready(WORLD_STREAMER, lambda first: streamer.records[first:], streamer.config.pins, b"\0" * 32, 0.0, handling.pass_over)
    assert [(row["message_id"], row["reason"]) for row in streamer.rows] == [(message_id_of(ready), "RUN_SCOPE_MISMATCH")]


def test_the_run_has_ended_when_every_lane_has(streamer: Streamer) -> None:
    assert streamer.run(Lane(0, 2)) is ReadyState.STREAMED
    assert streamer.told == ["RUN_READY_SEEN", "RUN_STARTED"]
    assert streamer.run(Lane(1, 2)) is ReadyState.STREAMED
    assert streamer.told == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]


class Reluctant(DirectoryStore):
    """A store that hangs, or fails, where facts for governance are written; `let_go` ends the hanging."""

    fails = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.let_go = threading.Event()

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        if key == KEY:
            if self.fails:
                raise Retry(Reason.STORE_SILENT, "away")
            self.let_go.wait(120)
        super().swap(key, data, expected)


@pytest.mark.parametrize("fails", [False, True])
def test_events_go_on_while_nobody_takes_the_facts_and_the_next_process_tells_them(streamer: Streamer, fails: bool) -> None:
    assert isinstance(streamer.store, DirectoryStore)
    store = Reluctant(streamer.store.root)
    store.fails = fails
    assert streamer.run(store=store) is ReadyState.STREAMED
    assert (len(streamer.gate.taken), streamer.unwritten, streamer.told) == (4, 3, [])
    store.let_go.set()
    assert streamer.run() is ReadyState.SKIPPED_DUPLICATE
    assert streamer.told == ["RUN_READY_SEEN", "RUN_STARTED", "RUN_ENDED"]


def test_a_ledger_that_cannot_be_written_does_not_hide_why_a_stream_failed(streamer: Streamer) -> None:
    streamer.store.replace(f"wsp/ready_runs/{message_id_of(streamer.ready)}.jsonl", b"")
    handling = streamer.handling()

    def failing() -> Sent:
        streamer.store.replace(f"wsp/ready_runs/{message_id_of(streamer.ready)}.jsonl", b"damaged\n")
        raise Stop(Reason.GATE_REJECTED, "no")

    with pytest.raises(Stop, match="GATE_REJECTED"):
        handling.handle(streamer.ready, bool, failing)
    with pytest.raises(Stop, match="RUN_RECORD_DAMAGED"):
        streamer.run()


def test_a_fact_is_told_once_by_the_id_of_what_it_is_about(streamer: Streamer) -> None:
    for _ in range(2):
        governance = Governance(streamer.store, streamer.config, "world_streamer", "dev_min", lambda: NOW_US)
        governance.say(Family.RUN_READY_SEEN, "ready_seen:m", {"message_id": "m"})
        governance.say(Family.RUN_READY_SEEN, "ready_seen:n", {"message_id": "n"})
        assert governance.close(60) == 0
    held = events(streamer.store)
    assert [event["dedupe_key"] for event in held] == ["ready_seen:m", "ready_seen:n"]
    assert held[0]["provenance"]["environment"] == "dev_min"
