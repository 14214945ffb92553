"""Bounds of different parts that must agree: what one gives the next must be able to take, and who waits must wait long enough."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from assay.agents import audit, lane, lane_input, merge
from assay.agents.assembly import ROWS_MAX
from assay.agents.faust_shell import agents, fetching, transport
from assay.agents.faust_shell.agents import Shell
from assay.agents.merge import Merge
from assay.app.bus import consumer, finished_batch, kafka_journal
from assay.app.effects.webhook import Webhook
from assay.app.gate import answers, health, index, pipeline, process, publisher, replies, segments
from assay.app.lane import driver as lane_driver
from assay.app.snapshots import store
from assay.app.stores import segment_journal
from assay.app.streamer import gate_client, ready, world_streamer
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts import limits
from assay.contracts.topics import topic
from assay.tables.dedupe import RESENT_ROWS_MAX

JOURNAL_BYTES_MAX = int(topic("FP_JOURNAL_RTDL_V1").config["max.message.bytes"])
DAY_S = 86_400


def default(part: Any, argument: str) -> Any:
    """What an argument is when nobody gives it."""
    return inspect.signature(part).parameters[argument].default


HOLD_MAX = default(Merge, "hold_max")

#: (what must hold, smaller, larger)
NOT_MORE = [
    (
        "rows and refusals of a record fit it",
        merge.TEXT_BYTES_MAX + lane_input.REFUSED_BYTES_MAX,
        kafka_journal.JOURNAL_VALUE_BYTES_MAX - 2_000_000,
    ),
    ("a journal record fits its topic with the batch around it", kafka_journal.JOURNAL_VALUE_BYTES_MAX + 1_000, JOURNAL_BYTES_MAX),
    ("rows under way when a process ends are known again", 2 * (lane_driver.IN_FLIGHT_MAX * ROWS_MAX + HOLD_MAX // 2), RESENT_ROWS_MAX),
    ("a whole journal record can wait in the merge", 2 * ROWS_MAX, HOLD_MAX),
    ("a record that is folded in a thread is a fraction of the largest", 2 * finished_batch.SMALL_ROWS, ROWS_MAX),
    ("the next segment fills while one is written", 2 * audit.RECORDS_MAX, audit.READY_MAX),
    ("the audit does not hold more than some segments", audit.READY_MAX, 10 * audit.RECORDS_MAX),
    ("a segment is closed soon after its time", lane_driver.LOOK_AGAIN_S, audit.WAIT_MAX_US / 1e6),
    ("an idle lane is looked at before its note is due", lane_driver.LOOK_AGAIN_S, lane.NOTE_AFTER_US / 1e6),
    ("a standby has followed before the group misses the owner", 10 * kafka_journal.FOLLOW_POLL_MS / 1e3, agents.SESSION_TIMEOUT_S),
    ("a standby of the audit too", 10 * segment_journal.FOLLOW_POLL_S, agents.SESSION_TIMEOUT_S),
    ("three heartbeats may be lost", 3 * agents.HEARTBEAT_S, agents.SESSION_TIMEOUT_S),
    ("the broker takes no shorter session", 6.0, agents.SESSION_TIMEOUT_S),
    ("a dead worker's lanes move on within seconds", agents.SESSION_TIMEOUT_S, 10.0),
    ("a standby that fetches nothing stays in the group", 365 * DAY_S, agents.IDLE_MAX_S),
    ("a fetch brings thousands of rows", 1_000_000, agents.FETCH_BYTES_MAX),
    ("fetches of one round fit a worker's memory", agents.FETCH_BYTES_MAX, 50_000_000),
    ("a commit shows lag tools what is done", Shell("g", "b", Path()).commit_interval_s, 5.0),
    ("a failed worker ends", Shell("g", "b", Path()).crash_grace_s, 60.0),
    ("a full lane is asked again at once", transport.FULL_POLL_S, 0.05),
    ("partitions of a lane that is partly full too", transport.PARTLY_FULL_POLL_S, 0.05),
    ("a partition that is not taken holds others up for no longer", transport.PREFETCH_BACKOFF_S, 0.05),
    ("a journal that does not come is not waited for without end", consumer.SILENCE_MAX_S, 120.0),
    ("a broker that elects a leader is waited for", 10.0, consumer.SILENCE_MAX_S),
    ("a fetch of a busy topic waits a few milliseconds for more", Shell("g", "b", Path()).fetch_wait_ms, 20),
    ("a fetch of an idle topic is soon made again", fetching.IDLE_WAIT_MS, 200),
    ("many marks of an idle topic share a journal record", 100, merge.WATERMARKS_WAITING_MAX),
    ("and its position moves all the same", merge.WATERMARKS_WAITING_MAX, 10_000),
    ("many groups of receipts share an object", 1_000_000, segments.SEGMENT_BYTES),
    ("an object of receipts is read at once", segments.SEGMENT_BYTES, 100_000_000),
    ("a streamer that is stopped stops", world_streamer.NAP_MAX_S, 1.0),
    ("calls of a streamer overlap", 2, StreamOptions().in_flight),
    (
        "and what is on its way is a part of the gate's backlog",
        StreamOptions().in_flight * StreamOptions().batch_rows,
        pipeline.BACKLOG_ITEMS // 2,
    ),
    ("lanes that wait for a mark get one within some groups", StreamOptions().batches_per_mark * StreamOptions().batch_rows, HOLD_MAX // 2),
    ("a call of the streamer fits the gate", StreamOptions().batch_rows, limits.ITEMS_MAX),
    ("READY is seen soon", ready.POLL_S, 2.0),
    ("a call's items fit one group", limits.ITEMS_MAX, pipeline.GROUP_ITEMS),
    ("groups on their way fit the backlog", (pipeline.GROUPS_AHEAD + 2) * pipeline.GROUP_ITEMS, pipeline.BACKLOG_ITEMS),
    ("what waits in the gate fits its memory", pipeline.BACKLOG_ITEMS, 1_000_000),
    ("groups on their way share the bus", 2, pipeline.GROUPS_AHEAD),
    ("the producer has given up before the gate does", publisher.DELIVERY_TIMEOUT_MS / 1e3 + 2, publisher.WAIT_S),
    ("the gate has given up before its caller is told", publisher.WAIT_S + 2, replies.ANSWER_WITHIN_S),
    ("a caller is told before the streamer gives the call up", replies.ANSWER_WITHIN_S + 2, gate_client.CALL_TIMEOUT_S),
    ("a caller waits a moment and not long before the next try", 1, answers.RETRY_AFTER_S),
    ("and is not sent away for long", answers.RETRY_AFTER_S, 10),
    ("the gate looks at its parts before they are missed", process.PROBE_EVERY_S, health.PROBE_WITHIN_S),
    ("what is set aside can be read soon", pipeline.REST_AFTER_S, 10.0),
    ("a killed gate's lock is waited for", 5_000, index.GUARD_PATIENCE_MS),
    ("a second gate is refused soon", index.GUARD_PATIENCE_MS, 30_000),
    ("the streamer outlives a broker's restart", 60.0, RetryPolicy().budget_s),
    ("the streamer's pauses are shorter than its patience", 10 * RetryPolicy().max_ms / 1e3, RetryPolicy().budget_s),
    ("its pauses grow", 4 * RetryPolicy().base_ms, RetryPolicy().max_ms),
    ("an effector's answer is waited for", 1.0, default(Webhook, "timeout_s")),
    ("and not so long that the lane stands", default(Webhook, "timeout_s"), 30.0),
    ("a damaged snapshot has one before it", 2, store.KEPT),
    ("snapshots do not fill the disk", store.KEPT, 10),
]


@pytest.mark.parametrize(("smaller", "larger"), [row[1:] for row in NOT_MORE], ids=[row[0] for row in NOT_MORE])
def test_what_one_part_gives_the_next_can_take(smaller: float, larger: float) -> None:
    assert 0 < smaller <= larger
