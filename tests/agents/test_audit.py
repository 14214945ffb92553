"""Audit: every decision with its outcome once, whatever the cut; restarts go on; nothing is dropped without a word."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import audit_machine
from records import RTDL, chunk, decision, mark, outcome

from assay.agents import audit as audit_module
from assay.agents.audit import AuditMachine
from assay.agents.step import EffectResults, LaneOutput
from assay.codecs.audit_segment import GENESIS, MAGIC, bodies_of, read_segment, walk, write_segment
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, unpack
from assay.contracts import ids
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
LATER_US = WALL_US + 1_000_000
AUDIT, QUARANTINE = "FP_BUS_AUDIT_V1", "FP_BUS_QUARANTINE_V1"


def machine(rows: int = 1_000) -> AuditMachine:
    """An audit lane of one partition."""
    return audit_machine(rows)


def drain(lane: AuditMachine) -> list[bytes]:
    """Segments of everything that is ready, folded."""
    segments: list[bytes] = []
    while True:
        entry = lane.next_entry(WALL_US) or lane.next_entry(LATER_US)
        if entry is None:
            return segments
        lane.apply(entry.value)
        segments.append(entry.value)


def records(segments: Sequence[bytes]) -> list[bytes]:
    """Audit records, in order."""
    return [value or b"" for segment in segments for value in read_segment(segment).values.tolist()]


def topic(n: int, seed: int) -> list[bytes]:
    """n decisions, each before its outcome, some records repeated later, some for others in between."""
    random, values, waiting = Random(seed), [], list[str]()
    for i in range(n):
        values.append(decision(f"e{i}", score=i))
        waiting.append(f"e{i}")
        while waiting and random.random() < 0.5:
            values.append(outcome(waiting.pop(random.randrange(len(waiting)))))
        if random.random() < 0.2:
            values.append(random.choice(values))
        if random.random() < 0.1:
            values.append(random.choice((mark(RTDL, 0, 5), b"junk", decision("torn")[:50])))
    return values + [outcome(event) for event in waiting]


@settings(deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 30), max_size=6), drains=st.booleans())
def test_any_cut_of_the_input_audits_every_decision_once_with_its_own_bytes(n: int, seed: int, cuts: list[int], drains: bool) -> None:
    values, lane, segments = topic(n, seed), machine(), list[bytes]()
    edges = [0, *sorted({cut for cut in cuts if cut < len(values)}), len(values)]
    for start, stop in zip(edges, edges[1:], strict=False):
        lane.receive(chunk(RTDL, values[max(0, start - 2) : stop], max(0, start - 2)))  # and two records again
        segments += drain(lane) if drains else []
    segments += drain(lane)
    found = records(segments)
    bodies = [(bytes(d or b""), bytes(o or b"")) for d, o in zip(*_bodies(found), strict=True)]
    assert sorted(bodies) == sorted((decision(f"e{i}", score=i)[HEADER_BYTES:], outcome(f"e{i}")[HEADER_BYTES:]) for i in range(n))
    assert [unpack(r)[1]["audit_id"] for r in found] == [ids.audit_id(*pair) for pair in bodies]
    assert [unpack(r)[1]["sequence"] for r in found] == list(range(n))
    assert lane.finished()
    again = machine()
    for segment in segments:
        again.recover(segment)
    again.receive(chunk(RTDL, values))
    assert records(drain(again)) == [], "a redelivered topic adds nothing after a restart"


def _bodies(found: list[bytes]) -> tuple[list[bytes | None], list[bytes | None]]:
    bodies = bodies_of(Strings.of(found))
    return bodies.decisions.tolist(), bodies.outcomes.tolist()


@pytest.mark.parametrize("length", [1, 63, 64, 200, 1_024])
def test_bodies_are_found_whatever_the_length_of_the_event_id(length: int) -> None:
    lane, event = machine(), "x" * length
    lane.receive(chunk(RTDL, [decision(event), outcome(event)]))
    found = records(drain(lane))
    assert _bodies(found) == ([decision(event)[HEADER_BYTES:]], [outcome(event)[HEADER_BYTES:]])


def test_a_segment_is_closed_by_time_or_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = machine()
    lane.receive(chunk(RTDL, [decision("a"), outcome("a")]))
    assert lane.next_entry(WALL_US) is None
    assert lane.next_entry(WALL_US + 499_999) is None
    entry = lane.next_entry(WALL_US + 500_000)
    assert entry is not None
    assert entry.rows == 1
    monkeypatch.setattr(audit_module, "RECORDS_MAX", 2)
    lane.receive(chunk(RTDL, [v for e in "bcdef" for v in (decision(e), outcome(e))], 2))
    sizes = [lane.next_entry(WALL_US) for _ in range(3)]
    assert [entry and entry.rows for entry in sizes] == [2, 2, None], "the fifth waits for its time"


def test_the_header_conforms_to_its_schema_and_every_record_goes_out_under_its_events_key() -> None:
    lane = machine()
    lane.receive(chunk(RTDL, [outcome("nobody"), decision("a"), outcome("a"), b"junk"]))
    (segment,) = drain(lane)
    header = read_segment(segment).header
    assert fault_of("audit_segment.v1", header) is None
    assert header["ranges"] == [[RTDL, 0, 0, 3]]
    (records_out, letters) = lane_outcome([segment]).emissions
    assert (records_out.handle, records_out.keys.tolist(), records_out.values.tolist()) == (AUDIT, [b"a"], records([segment]))
    assert letters.handle == QUARANTINE


def lane_outcome(segments: Sequence[bytes]) -> LaneOutput:
    """What another machine makes of the last of these segments."""
    twin, found = machine(), LaneOutput(())
    for segment in segments:
        found = twin.apply(segment)
    return found


def test_an_outcome_of_no_known_decision_is_set_aside_by_its_place_also_after_a_restart() -> None:
    lane = machine()
    lane.receive(chunk(RTDL, [outcome("nobody")]))
    segments = drain(lane)
    assert records(segments) == []
    letter = unpack(lane_outcome(segments).emissions[0].values.row(0) or b"")[1]
    assert (letter["reason"], letter["topic"], letter["partition"], letter["offset"]) == ("OUTCOME_WITHOUT_DECISION", RTDL, 0, 0)
    again = machine()
    again.recover(segments[0])
    assert [outcome.emissions[0].values.tolist() for _, outcome in again.unemitted()] == [
        lane_outcome(segments).emissions[0].values.tolist()
    ]
    assert again.position() == {(RTDL, 0): 1}


def test_decisions_are_remembered_by_number_of_rows() -> None:
    """State stays bounded, and a repeat within the bound is no second record."""
    lane = machine(rows=4)
    values = [v for i in range(10) for v in (decision(f"e{i}"), outcome(f"e{i}"))]
    lane.receive(chunk(RTDL, values))
    assert len(records(drain(lane))) == 10
    lane.receive(chunk(RTDL, [decision("e9"), outcome("e9")], 20))
    assert records(drain(lane)) == []
    assert lane.finished()


def test_recovery_goes_on_with_sequence_chain_and_position_and_emits_the_unemitted_tail_again() -> None:
    lane, segments = machine(), list[bytes]()
    for i in range(4):
        lane.receive(chunk(RTDL, [decision(f"e{i}"), outcome(f"e{i}")], 2 * i))
        segments += drain(lane)
        if i < 2:
            lane.emitted(i)
    again = machine()
    for segment in segments:
        again.recover(segment)
    assert [sequence for sequence, _ in again.unemitted()] == [2, 3]
    assert again.position() == lane.position() == {(RTDL, 0): 8}
    assert again.committable() == {(RTDL, 0): 4}
    for each in (lane, again):
        each.receive(chunk(RTDL, [decision("new"), outcome("new")], 8))
    assert records(drain(again)) == records(drain(lane))


def test_a_decision_emitted_again_after_a_restart_is_no_second_record() -> None:
    """It comes at new offsets, so only its id tells."""
    lane = machine()
    lane.receive(chunk(RTDL, [decision("a"), outcome("a")]))
    (segment,) = drain(lane)
    again = machine()
    again.recover(segment)
    again.unemitted()
    again.receive(chunk(RTDL, [decision("a"), outcome("a")], 2))
    assert records(drain(again)) == []
    assert again.finished()


def _not_following(lane: AuditMachine) -> None:
    value, _ = write_segment({"sequence": 0, "previous": "1" * 64, "ranges": []}, Strings.of([]))
    lane.apply(value)


def _gap(lane: AuditMachine) -> None:
    lane.receive(chunk(RTDL, [decision("a")], 1))


def _results(lane: AuditMachine) -> None:
    lane.results_entry(EffectResults(Strings.of([]), np.zeros(0, np.int32), Strings.of([]), Strings.of([])), WALL_US)


@pytest.mark.parametrize(
    ("play", "reason"),
    [(_not_following, Reason.AUDIT_CHAIN_BROKEN), (_gap, Reason.INPUT_GAP), (_results, Reason.PRODUCE_FAILED)],
)
def test_what_cannot_be_right_stops_the_lane(play: Callable[[AuditMachine], None], reason: Reason) -> None:
    with pytest.raises(Stop) as stopped:
        play(machine())
    assert stopped.value.reason is reason


def segment() -> bytes:
    """A segment of three records."""
    lane = machine()
    lane.receive(chunk(RTDL, [v for e in "abc" for v in (decision(e), outcome(e))]))
    (value,) = drain(lane)
    return value


def rewritten(data: bytes, body: Callable[[bytes], bytes], **header: object) -> bytes:
    """A segment with another body and a header that agrees with it but for what is given."""
    end = len(MAGIC) + 4 + int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "big")
    new = body(data[end:])
    full = {**read_segment(data).header, "body_bytes": len(new), "body_sha256": hashlib.sha256(new).hexdigest(), **header}
    text = canonical(full)
    return MAGIC + len(text).to_bytes(4, "big") + text + new


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda s: b"", id="empty"),
        pytest.param(lambda s: s[:9], id="cut in the magic line"),
        pytest.param(lambda s: s[:40], id="cut in the header"),
        pytest.param(lambda s: s[:-1], id="cut in the body"),
        pytest.param(lambda s: s + b"x", id="longer"),
        pytest.param(lambda s: s.replace(b"assay-audit/1", b"assay-audit/2"), id="another form"),
        pytest.param(lambda s: s.replace(b'"records":3', b'"records": 3'), id="not canonical"),
        pytest.param(lambda s: rewritten(s, lambda b: b, records=2), id="fewer records"),
        pytest.param(lambda s: rewritten(s, lambda b: b, records=10**12), id="more records than bytes"),
        pytest.param(lambda s: MAGIC + (5_000).to_bytes(4, "big") + b"[" * 5_000, id="a header nested without end"),
        pytest.param(lambda s: rewritten(s, lambda b: b, records="3"), id="a count that is text"),
        pytest.param(lambda s: rewritten(s, lambda b: b"\xff\xff\xff\xff" + b[4:]), id="a record longer than the body"),
        pytest.param(lambda s: rewritten(s, lambda b: b[:-2]), id="the last record cut"),
    ],
)
def test_a_damaged_segment_is_refused_by_name(damaged: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Stop) as stopped:
        read_segment(damaged(segment()), "audit/segments/7.seg")
    assert stopped.value.reason is Reason.AUDIT_SEGMENT_DAMAGED
    assert stopped.value.where == "audit/segments/7.seg"


def test_a_segment_reads_back_as_it_was_written() -> None:
    value = segment()
    data, written = write_segment(
        {k: v for k, v in read_segment(value).header.items() if k not in ("records", "body_bytes", "body_sha256")},
        read_segment(value).values,
    )
    assert data == value
    assert (written.header, written.digest) == (read_segment(value).header, read_segment(value).digest)
    assert written.header["previous"] == GENESIS


@given(parts=st.lists(st.binary(max_size=5), max_size=6), cut=st.integers(0, 3), records_more=st.integers(-1, 1))
def test_the_walk_over_records_is_the_same_compiled_and_in_python(parts: list[bytes], cut: int, records_more: int) -> None:
    body = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    data = np.frombuffer(body[: len(body) - cut], np.uint8)
    n = max(0, len(parts) + records_more)
    results = []
    for function in (walk, getattr(walk, "py_func", walk)):
        starts, lengths = np.zeros(n, np.int64), np.zeros(n, np.int32)
        results.append((int(function(data, starts, lengths)), starts.tolist(), lengths.tolist()))
    assert results[0] == results[1]
    if not cut and not records_more:
        assert results[0][0] == len(body)
