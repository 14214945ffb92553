"""What is forgotten goes in small parts, by one process at a time, and whoever meets it on its way out is told nothing wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

import psycopg
import pytest
from forgetting_gate import BY_MARKS, HORIZON, RUN, S_US, Gate, an_hour_later, claims, forgetting, key, rows, sql

from assay.app.gate.answer_index import AnswerIndex, Placed
from assay.app.gate.forgetting_thread import AT_ONCE, TELL_EVERY_S, Forgetting
from assay.app.gate.horizon import Forgotten, forget_some, forget_up_to, forgotten_of, set_horizon
from assay.app.gate.index import AdmissionIndex, MarksMoved
from assay.app.gate.standing import Admission
from assay.contracts.errors import Retry
from assay.testing import until


@pytest.fixture
def gate(dsn: str) -> Gate:
    return Gate(dsn)


def test_many_batches_of_several_processes_go_in_small_parts(dsn: str, gate: Gate) -> None:
    second = Gate(dsn, number=1)
    for at in range(20):
        (gate, second)[at % 2].admit(**{f"e-{at}-{i}": at for i in range(3)})
    gate.admit(last=1_000)
    an_hour_later(dsn)
    index = AdmissionIndex(dsn)
    index.ask(partial(set_horizon, platform_run_id=RUN, horizon=HORIZON))
    assert index.ask(partial(forget_some, platform_run_id=RUN, about=7)) is None, "nothing was said yet"
    assert index.ask(partial(forget_up_to, platform_run_id=RUN)) == 990 * S_US
    assert index.ask(partial(forget_some, platform_run_id=RUN, about=7)) == 9, "whole batches"
    assert gate.known(*(f"e-{at}-0" for at in range(20))) == {f"e-{at}-0" for at in range(3, 20)}, "the oldest go first"
    parts = []
    while (some := index.ask(partial(forget_some, platform_run_id=RUN, about=7))) is not None:
        parts.append(some)
    assert parts == [9] * 5 + [6]
    assert rows(dsn)["claims"] == 1 and AT_ONCE >= 1_000
    assert index.ask(partial(forgotten_of, platform_run_id=RUN)) == Forgotten(990 * S_US, 60), "all parts together"


def test_two_processes_do_not_forget_at_once(dsn: str, gate: Gate) -> None:
    gate.admit(a=0)
    gate.admit(b=100)
    an_hour_later(dsn)
    first, second = AdmissionIndex(dsn), AdmissionIndex(dsn)
    first.ask(partial(set_horizon, platform_run_id=RUN, horizon=HORIZON))
    with psycopg.connect(dsn) as holder:
        assert forget_up_to(holder, RUN) == 90 * S_US
        assert second.ask(partial(forget_up_to, platform_run_id=RUN)) is None
        holder.commit()
        assert forget_some(holder, RUN, 10) == 1
        assert second.ask(partial(forget_some, platform_run_id=RUN, about=10)) is None
        assert second.ask(partial(forget_up_to, platform_run_id=RUN)) is None
    assert gate.known("a") == set()


def test_a_claim_that_meets_a_row_being_forgotten_makes_a_new_one(dsn: str, gate: Gate) -> None:
    gate.admit(a=0)
    gate.admit(b=100)
    an_hour_later(dsn)
    gate.index.ask(partial(set_horizon, platform_run_id=RUN, horizon=HORIZON))
    gate.index.ask(partial(forget_up_to, platform_run_id=RUN))
    found: dict[str, object] = {}
    batch, _ = gate.index.next_batch(2)
    asks = threading.Thread(target=lambda: found.update(known=gate.index.claim(claims({"c": 7, "a": 0}), batch)))
    with psycopg.connect(dsn) as deleting:
        assert forget_some(deleting, RUN, 10) == 1
        asks.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
        until(lambda: sql(dsn, waiting)[0][0], 30)
    asks.join(30)
    assert found == {"known": {}}, "both are claimed by this batch"
    assert gate.known("a", "c") == {"a", "c"}


def test_who_was_told_of_a_row_that_is_gone_when_it_is_read_sends_again(dsn: str, gate: Gate) -> None:
    """Between the claim and the question what stands there."""
    gate.admit(a=0)
    gate.mark(5, "traffic", "context")
    gate.mark(100, "traffic", "context")
    assert forgetting(dsn, BY_MARKS).look() == 0, "the newest batch stays"
    gate.admit(b=100)
    assert forgetting(dsn, BY_MARKS).look() == 1
    batch, _ = gate.index.next_batch(2)
    known = gate.index.claim(claims({"a": 0, "c": 101}), batch, marks=gate.marks)
    assert {at: standing.state for at, standing in known.items()} == {0: Admission.IN_FLIGHT}
    assert known[0].payload_hash == b"p" * 32, "it is not told to be another payload"
    assert gate.known("a", "c") == {"c"}, "an event behind the marks is no new one, even where nobody refused it before"


def test_claims_under_way_end_before_it_is_said_what_may_be_forgotten(dsn: str, gate: Gate) -> None:
    gate.admit(a=0)
    gate.admit(b=100)
    gate.mark(100, "traffic", "context")
    gate.index.ask(partial(set_horizon, platform_run_id=RUN, horizon=BY_MARKS))
    told: list[int | None] = []
    index = AdmissionIndex(dsn)
    asks = threading.Thread(target=lambda: told.append(index.ask(partial(forget_up_to, platform_run_id=RUN))))
    with psycopg.connect(dsn) as claiming:
        given = (RUN, gate.marks, (999 << 32) + 1, "{}", key("x"), b"p" * 32, [0], [S_US * 200])
        claiming.execute("SELECT ig_claim(%s, %s, %s, %s, %s, %s, %s::bigint[], %s::bigint[])", given)
        asks.start()
        until(lambda: sql(dsn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0], 30)
        assert told == [] and sql(dsn, "SELECT * FROM ig_forgotten") == []
    asks.join(30)
    assert told == [90 * S_US]
    with pytest.raises(MarksMoved):
        gate.index.claim(claims({"y": 101}), gate.index.next_batch(1)[0], marks="other")


def test_answers_go_with_their_ids_and_are_not_taken_from_the_topic_again(dsn: str, gate: Gate) -> None:
    gate.admit(a=0, a2=0)
    gate.admit(b=100)
    topic = [Placed(key("a"), 0, 7, b"old"), Placed(key("a2"), 0, 9, b"old"), Placed(key("b"), 1, 3, b"new")]

    def behind(places: object) -> Sequence[Placed]:
        assert isinstance(places, dict)
        return [one for one in topic if one.offset >= places.get(one.partition, 0)]

    answers = AnswerIndex(dsn, RUN, behind)
    assert answers.answer(key("a")) == b"old"
    answers.claim_answers({key("a"): b"old", key("b"): b"new"})
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 2
    assert sql(dsn, "SELECT answer FROM ig_answer_claims") == [(b"new",)]
    again = AnswerIndex(dsn, RUN, behind)
    assert [again.answer(key(name)) for name in ("a", "a2", "b")] == [None, None, b"new"]
    again.add([Placed(key("a"), 0, 10, b"of the new payment")])
    assert again.answer(key("a")) == b"of the new payment"
    assert rows(dsn)["answers"] == 2


def test_a_table_that_is_filled_and_forgotten_again_does_not_grow(dsn: str, gate: Gate) -> None:
    """Each time ten seconds further."""
    sizes = []
    for turn in range(6):
        for part in range(4):
            gate.admit(**{f"e-{turn}-{part}-{at}": turn * 20 for at in range(500)})
        an_hour_later(dsn)
        forgetting(dsn).look()
        sql(dsn, "VACUUM ig_claims, ig_begun, ig_batches")
        sizes.append(int(str(sql(dsn, "SELECT pg_total_relation_size('ig_claims')")[0][0])))
    assert rows(dsn)["claims"] == 2_000
    assert sizes[-1] <= sizes[1] * 1.1


def test_what_is_forgotten_is_told_once_an_hour(dsn: str, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    thread = Forgetting(AdmissionIndex(dsn), RUN, HORIZON, 0.0, lambda: now_s[0])
    for turn, at_s in enumerate((0.0, TELL_EVERY_S - 1, TELL_EVERY_S)):
        now_s[0] = at_s
        gate.admit(**{f"e-{turn}": turn * 100})
        gate.admit(**{f"f-{turn}": turn * 100 + 50})
        an_hour_later(dsn)
        thread.look()
    told = [record.message for record in caplog.records if record.name == "assay.gate.forgetting"]
    assert [line.split(" of events before ")[0] for line in told] == ["1 event ids are forgotten,", "4 event ids are forgotten,"]
    assert "before 1970-01-01T00:00:40.000000Z" in told[0]


def test_a_server_that_is_away_is_waited_for(dsn: str) -> None:
    with pytest.raises(Retry):
        forgetting("postgresql://nobody@127.0.0.1:9/none").look()
    thread = forgetting("postgresql://nobody@127.0.0.1:9/none")
    thread.start()
    thread.stop()
