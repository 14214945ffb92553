"""What a round has left on the bus, against the same input folded in this process; a figure of wrong outputs is no figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.agents.specs import Role
from assay.agents.step import Chunk
from assay.agents.topology import TOPOLOGY
from assay.app.bench.bus import BenchBus
from assay.app.bench.peers import Answers
from assay.app.bus.topic_reader import read_topic
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.compare import compare, decisions_of
from assay.app.replay.verify import read_journal, recompute
from assay.app.run.directory import Run, RunConfig
from assay.codecs.avro_decode import decode
from assay.codecs.columns import I64, Columns, Ragged, Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.tables.feature_plan import compile_plan

_BLOCK = 10_000
#: the last feature of the workload counts distinct merchants exactly
DISTINCT = -1


def decisions_in_memory(config: RunConfig, records: Sequence[tuple[bytes | None, bytes]]) -> Iterator[Strings]:
    """Decisions of a lane that is fed the records in order and has no process, broker or journal topic."""
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, partition_counts(1))
    lane.unemitted()
    claim = lane.claim_entry(0)
    lane.apply(claim.value)
    for start in range(0, len(records), _BLOCK):
        values = Strings.of([value for _, value in records[start : start + _BLOCK]])
        lane.receive(Chunk(TRAFFIC, 0, np.arange(start, start + len(values.lengths), dtype=np.int64), values))
        while (entry := lane.next_entry(0)) is not None:
            outcome = lane.apply(entry.value)
            lane.emitted(entry.sequence)
            yield from (emission.values for emission in outcome.emissions if emission.handle == RTDL)


def check_lane(bus: BenchBus, run: Run, records: Sequence[tuple[bytes | None, bytes]]) -> dict[str, Any]:
    """Decisions on the topic: each exactly once, byte-equal to the journal's, and deciding as the lane in memory does.

    Raises Stop(BENCH_INVALID) when anything differs.
    """
    _check_values(bus.read(topic(TRAFFIC).name(run.namespace)), records, "the input topic")
    on_topic = [decisions_of(chunk.values) for chunk in read_topic(run.bootstrap, RTDL, run.namespace)]
    journal = list(read_journal(run))
    result = compare(lambda: recompute(run.config, journal, 1), lambda: iter(on_topic), compile_plan(run.config.features))
    if result.differing or result.repeated or result.on_topic != len(records):
        raise Stop(Reason.BENCH_INVALID, f"decisions of the lane are not those of its journal: {result}")
    theirs, ours = _digest(on_topic), _digest(decisions_in_memory(run.config, records))
    if theirs != ours:
        raise Stop(Reason.BENCH_INVALID, f"the worker decided {theirs}, the lane in memory {ours}")
    return {
        "decisions": result.on_topic,
        "byte_equal_to_journal": result.recomputed,
        "decision_digest": theirs,
        "equal_in_memory": True,
        "journal_records": len(journal),
        "journal_bytes": sum(map(len, journal)),
    }


def check_once_in_effect(run: Run, sent: int) -> dict[str, Any]:
    """Every payment decided as the journal says; what a takeover published again is the same, byte for byte.

    Raises Stop(BENCH_INVALID) when anything differs or is missing.
    """
    on_topic = [decisions_of(chunk.values) for chunk in read_topic(run.bootstrap, RTDL, run.namespace)]
    journal = list(read_journal(run))
    result = compare(lambda: recompute(run.config, journal, 1), lambda: iter(on_topic), compile_plan(run.config.features))
    if result.differing or result.recomputed != sent or result.on_topic - result.repeated != sent:
        raise Stop(Reason.BENCH_INVALID, f"of {sent} payments not each is decided once in effect: {result}")
    return {"decisions": result.recomputed, "published_again_alike": result.repeated}


def check_copy(bus: BenchBus, target: str, records: Sequence[tuple[bytes | None, bytes]]) -> dict[str, Any]:
    """A raw copy holds the input's bytes."""
    copied = bus.read(target)
    _check_values(copied, records, target)
    return {"records_equal": len(copied)}


def _check_values(found: Sequence[bytes], records: Sequence[tuple[bytes | None, bytes]], where: str) -> None:
    differing = sum(copy != value for copy, (_, value) in zip(found, records, strict=False)) + abs(len(found) - len(records))
    if differing:
        raise Stop(Reason.BENCH_INVALID, f"{differing} of {len(records)} records in {where} are not those of its input")


def expected_answers(config: RunConfig, records: Sequence[tuple[bytes | None, bytes]]) -> Answers:
    """What every peer must answer: the lane's values, scores and outcomes in memory."""
    fields = frozenset({"source_event.event_id", "features.longs", "score", "outcome"})
    parts: list[Any] = [_decoded(values, fields) for values in decisions_in_memory(config, records)]
    ids, outcomes = (Strings.of([row for part in parts for row in part[name].tolist()]) for name in ("source_event.event_id", "outcome"))
    return Answers(ids, np.concatenate([_longs(part) for part in parts]), np.concatenate([part["score"] for part in parts]), outcomes)


def check_peer(found: Answers, expected: Answers, name: str) -> dict[str, Any]:
    """A peer has answered every event, once and in order, as the lane does; distinct counts included."""
    count = len(expected.scores)
    if len(found.scores) != count:
        raise Stop(Reason.BENCH_INVALID, f"{name} wrote {len(found.scores)} answers to {count} events")
    # no posture is published in a benchmark, and the lane's fail-safe one lets nothing pass without a step up
    outcomes = [b"STEP_UP" if outcome == b"ALLOW" else outcome for outcome in found.outcomes.tolist()]
    equal = np.array([a == b for a, b in zip(found.event_ids.tolist(), expected.event_ids.tolist(), strict=True)])
    equal &= np.array([a == b for a, b in zip(outcomes, expected.outcomes.tolist(), strict=True)])
    equal &= (found.values == expected.values).all(axis=1) & (found.scores == expected.scores)
    if not equal.all():
        at = int(np.argmin(equal))
        theirs, ours = (_row(answers, at) for answers in (found, expected))
        raise Stop(Reason.BENCH_INVALID, f"{count - equal.sum()} answers differ, the first is {at}: {name} has {theirs}, the lane {ours}")
    return {"events_equal_to_the_lane": count, "largest_distinct_count": int(found.values[:, DISTINCT].max())}


def _row(answers: Answers, at: int) -> str:
    return f"{answers.event_ids.row(at)!r} {answers.values[at].tolist()} {answers.scores[at]} {answers.outcomes.row(at)!r}"


def event_ids_of(decisions: Strings) -> Strings:
    """Ids of the payments that decisions are of."""
    ids = _decoded(decisions, frozenset({"source_event.event_id"}))["source_event.event_id"]
    assert isinstance(ids, Strings)
    return ids


def _decoded(decisions: Strings, fields: frozenset[str]) -> Columns:
    plan = plan_of("decision_response", fields)
    return decode(plan, decisions.data, decisions.starts, decisions.lengths, HEADER_BYTES).columns


def _longs(decoded: Columns) -> I64:
    lists = decoded["features.longs"]
    assert isinstance(lists, Ragged)
    values: I64 = lists.children["item"]
    return values.reshape(len(lists.offsets) - 1, -1)


def _digest(batches: Sequence[Strings] | Iterator[Strings]) -> str:
    digest = DecisionDigest()
    for values in batches:
        digest.update(values)
    return digest.hexdigest()
