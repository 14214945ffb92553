"""Wall times in records: each is the wall time of the journal record (or segment) that the record follows from, never event time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import audit_machine
from records import CONTEXT, CONTROL, LABELS, POSTURE, RTDL, T0_US, TRAFFIC, chunk, decision, mark, outcome, payment
from simulated_worlds import config

from assay.agents.audit import AuditMachine
from assay.agents.lane import LaneMachine
from assay.agents.step import EffectResults, JournalEntry, LaneOutput
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.audit_segment import read_segment
from assay.codecs.columns import Strings
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import unpack
from assay.codecs.table_state import blocks, read_state

#: far from every event time of these tests, and no two alike: which one was taken is seen
CLAIM_US, FIRST_US, SECOND_US, NOTE_US = (1_800_000_000_000_000 + n * 1_000_003 for n in range(4))
#: nothing recorded in these tests can be older
EVENTS_END_US = T0_US + 1_000_000


def lane(name: str) -> LaneMachine:
    """A lane that was claimed at `CLAIM_US`."""
    one = fold_machine_of(TOPOLOGY.lane(name), config(), partition_counts(1))
    one.unemitted()
    one.apply(one.claim_entry(CLAIM_US).value)
    return one


def next_of(one: LaneMachine | AuditMachine, wall_us: int) -> tuple[JournalEntry, LaneOutput]:
    """The next journal record, made at this time, and what it gives."""
    entry = one.next_entry(wall_us)
    assert entry is not None
    return entry, one.apply(entry.value)


def emitted(outcome: LaneOutput, name: str) -> list[dict[str, Any]]:
    """Emitted records of one type."""
    found = [unpack(value) for emission in outcome.emissions for value in emission.values.tolist() if value is not None]
    return [fields for of, fields in found if of == name]


def answers(n: int) -> EffectResults:
    """n actions that were executed."""
    return EffectResults(Strings.repeat(b"EXECUTED", n), np.ones(n, np.int32), Strings.repeat(b"", n), Strings.repeat(b"ref", n))


def test_a_journal_record_holds_the_time_at_which_it_was_made() -> None:
    one = fold_machine_of(TOPOLOGY.lane("act"), config(), partition_counts(1))
    one.unemitted()
    made = [one.claim_entry(CLAIM_US)]
    one.apply(made[0].value)
    one.receive(chunk(RTDL, [decision("a")]))
    entry, started = next_of(one, FIRST_US)
    assert started.effects is not None
    made += [entry, one.results_entry(answers(1), SECOND_US)]
    one.apply(made[-1].value)
    one.emitted(made[-1].sequence)
    made.append(next_of(one, NOTE_US)[0])
    assert [JournalRecord.from_bytes(entry.value).wall_us for entry in made] == [CLAIM_US, FIRST_US, SECOND_US, NOTE_US]


def test_a_decision_is_of_the_time_of_its_journal_record() -> None:
    one = lane("rtdl")
    one.receive(chunk(TRAFFIC, [payment("a", T0_US), b"junk", mark(TRAFFIC, 0, 0, final=True)]))
    for handle in (CONTROL, POSTURE, LABELS, CONTEXT):
        one.receive(chunk(handle, [mark(handle, 0, 0, final=True)]))
    _, made = next_of(one, FIRST_US)
    assert [record["decided_at_utc"] for record in emitted(made, "decision_response")] == [FIRST_US]
    assert [record["recorded_at_utc"] for record in emitted(made, "quarantine_record")] == [FIRST_US]
    assert [record["source_event"]["ts_utc"] for record in emitted(made, "decision_response")] == [T0_US]


def test_an_action_is_completed_at_the_time_of_the_record_that_holds_its_answer() -> None:
    """It began with the record before, and waits for whoever acts."""
    one = lane("act")
    one.receive(chunk(RTDL, [decision("a"), decision("b")]))
    next_of(one, FIRST_US)
    done = one.apply(one.results_entry(answers(2), SECOND_US).value)
    assert [record["completed_at_utc"] for record in emitted(done, "action_outcome")] == [SECOND_US, SECOND_US]


def test_an_action_that_another_machine_with_an_earlier_clock_completes_is_completed_when_it_began() -> None:
    """Also when that machine begins with a snapshot that was taken in between."""
    one = lane("act")
    one.receive(chunk(RTDL, [decision("a")]))
    next_of(one, SECOND_US)
    again = lane("act")
    again.restore({name: read_state(b"".join(blocks(state))) for name, state in one.state().items()})
    again.unemitted()
    for machine in (one, again):
        done = machine.apply(machine.results_entry(answers(1), FIRST_US).value)
        assert [record["completed_at_utc"] for record in emitted(done, "action_outcome")] == [SECOND_US]


@given(clocks=st.lists(st.integers(0, 3 * 10**9), min_size=4, max_size=4))
def test_no_action_is_completed_before_its_decision_and_no_decision_made_before_its_payment_whatever_clocks_say(clocks: list[int]) -> None:
    """Clocks of the gate, of the worker that decides, of the same when it publishes, of the worker that acts; in microseconds."""
    admits, decides, publishes, acts = (CLAIM_US + us for us in clocks)
    deciding, acting = lane("rtdl"), lane("act")
    deciding.receive(chunk(TRAFFIC, [payment("a", T0_US), mark(TRAFFIC, 0, 0, final=True)])._replace(newest_ms=admits // 1_000))
    for handle in (CONTROL, POSTURE, LABELS, CONTEXT):
        deciding.receive(chunk(handle, [mark(handle, 0, 0, final=True)]))
    _, made = next_of(deciding, decides)
    values = [value or b"" for emission in made.emissions if emission.handle == RTDL for value in emission.values.tolist()]
    acting.receive(chunk(RTDL, values)._replace(newest_ms=made.published_ms(publishes)))
    next_of(acting, acts)
    done = acting.apply(acting.results_entry(answers(1), acts).value)
    [decided], [completed] = emitted(made, "decision_response"), emitted(done, "action_outcome")
    assert admits // 1_000 <= decided["decided_at_utc"] // 1_000
    assert decided["decided_at_utc"] <= completed["completed_at_utc"]


def test_a_denied_action_is_completed_at_the_time_of_the_record_that_denies_it() -> None:
    one = lane("act")
    one.receive(chunk(RTDL, [decision("a", "ALLOW"), decision("a", "DECLINE")]))
    _, made = next_of(one, FIRST_US)
    assert [(record["status"], record["completed_at_utc"]) for record in emitted(made, "action_outcome")] == [("DENIED", FIRST_US)]


@pytest.mark.parametrize("restarted", [False, True])
def test_audit_records_and_dead_letters_are_of_the_time_of_their_segment(restarted: bool) -> None:
    """Also when a restart emits them again."""
    one = audit_machine()
    one.receive(chunk(RTDL, [decision("a"), outcome("a"), outcome("of nobody")]))
    assert one.next_entry(FIRST_US) is None, "a segment waits for more"
    entry, made = next_of(one, SECOND_US)
    if restarted:
        again = audit_machine()
        again.recover(entry.value)
        ((_, made),) = again.unemitted()
    assert read_segment(entry.value).header["recorded_at_us"] == SECOND_US
    assert [record["recorded_at_utc"] for record in emitted(made, "audit_record")] == [SECOND_US]
    assert [record["recorded_at_utc"] for record in emitted(made, "quarantine_record")] == [SECOND_US]


def test_the_times_of_these_tests_are_no_event_times() -> None:
    assert min(CLAIM_US, FIRST_US, SECOND_US, NOTE_US) > EVENTS_END_US
