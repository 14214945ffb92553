"""The index forgets ids behind the horizon of their run, with all rows of their batches, and nothing else."""

from __future__ import annotations

from functools import partial

import pytest
from forgetting_gate import BY_MARKS, HORIZON, RUN, S_US, Gate, an_hour_later, claims, forgetting, key, rows, sql
from simulated_worlds import config

from assay.app.gate.horizon import Forgotten, RunHorizon, forgotten_of, horizon_of
from assay.app.gate.standing import Admission, RecordMetadata
from assay.tables.dedupe import RESENT_ROWS_MAX


@pytest.fixture
def gate(dsn: str) -> Gate:
    return Gate(dsn)


def test_ids_behind_the_horizon_go_with_all_their_rows_and_the_others_stay(dsn: str, gate: Gate) -> None:
    other = Gate(dsn, "two")
    other.admit(z=0)
    gate.admit(a=0, b=5)
    gate.admit(c=9)
    gate.admit(d=10)
    other.admit(y=100)
    gate.admit(e=20)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 3
    assert gate.known("a", "b", "c", "d", "e") == {"d", "e"}
    assert other.known("z", "y") == {"z", "y"}, "nobody looked at the other run"
    assert rows(dsn) == {"claims": 4, "begun": 4, "batches": 4, "found": 0, "scanned": 0, "answers": 0}
    assert forgetting(dsn).look() == 0
    assert gate.index.ask(partial(forgotten_of, platform_run_id=RUN)) == Forgotten(10 * S_US, 3)
    assert gate.index.ask(partial(forgotten_of, platform_run_id="two")) is None
    gate.admit(a=0, f=21)
    assert gate.known("a") == {"a"}, "it is a new event"


def test_the_time_of_a_run_in_order_of_arrival_is_that_of_ten_minutes_ago(dsn: str, gate: Gate) -> None:
    gate.admit(a=0)
    gate.admit(b=20)
    gate.admit(c=21)
    assert forgetting(dsn).look() == 0, "lanes may not have read them"
    an_hour_later(dsn)
    gate.admit(d=100)
    assert forgetting(dsn).look() == 1
    assert gate.known("a", "b", "c") == {"b", "c"}


def test_an_event_far_in_the_future_does_not_move_the_time_beyond_the_servers_clock(dsn: str, gate: Gate) -> None:
    now_s = int(str(sql(dsn, "SELECT extract(epoch FROM now())::bigint")[0][0]))
    gate.admit(a=now_s - 5_400)
    gate.admit(b=now_s - 9)
    gate.admit(c=now_s + 10**9)
    an_hour_later(dsn)
    assert forgetting(dsn, HORIZON._replace(horizon_us=2 * 3_600 * S_US)).look() == 1
    assert gate.known("a", "b") == {"b"}


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        ({"traffic": 100}, "abc"),
        ({"traffic": 100, "context": 10}, "abc"),
        ({"traffic": 100, "context": 11}, "bc"),
        ({"traffic": 16, "context": 100, "label": 0}, "c"),
    ],
)
def test_the_time_of_a_run_by_event_time_is_that_of_the_last_of_its_marks(dsn: str, gate: Gate, marked: dict[str, int], left: str) -> None:
    gate.admit(a=0)
    gate.admit(b=5)
    gate.admit(c=200)
    for name, seconds in marked.items():
        gate.mark(seconds, name)
    forgetting(dsn, BY_MARKS).look()
    assert gate.known("a", "b", "c") == set(left)


def test_an_old_event_that_came_late_is_remembered_as_long_as_what_came_before_it(dsn: str, gate: Gate) -> None:
    """As a lane does: it remembers an id from the latest time that it had folded by then."""
    gate.admit(a=0)
    gate.admit(b=100)
    gate.admit(c=1)
    gate.admit(d=105)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 1
    assert gate.known("a", "b", "c", "d") == {"b", "c", "d"}
    gate.admit(e=111)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 2
    assert gate.known("b", "c", "d", "e") == {"d", "e"}


def test_a_batch_is_as_young_as_its_latest_event(dsn: str, gate: Gate) -> None:
    gate.admit(a=0, b=50)
    gate.admit(c=60)
    gate.admit(d=61)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 2
    gate.admit(e=62, f=100)
    gate.admit(g=109)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 2
    assert gate.known(*"abcdefg") == set("efg")


@pytest.mark.parametrize(("newest", "left"), [(0, "ef"), (1, "ef"), (2, "ef"), (3, "def"), (4, "bcdef"), (9, "abcdef")])
def test_the_newest_ids_stay_however_old_they_are(dsn: str, gate: Gate, newest: int, left: str) -> None:
    gate.admit(a=0)
    gate.admit(b=1, c=2)
    gate.admit(d=3)
    gate.admit(e=100)
    gate.admit(f=101)
    an_hour_later(dsn)
    forgetting(dsn, HORIZON._replace(newest=newest)).look()
    assert gate.known(*"abcdef") == set(left)


def test_what_has_no_place_is_never_forgotten_and_holds_nothing_else_up(dsn: str, gate: Gate) -> None:
    in_flight = gate.claim(flying=0)
    ambiguous = gate.claim(lost=0, landed=0)
    gate.index.settle(ambiguous, [None, RecordMetadata(0, 1)], 1)
    released = gate.claim(refused=0)
    gate.index.settle(released, [None], 1, refused=True)
    taken = gate.claim(taken=0)
    gate.index.settle(taken, [None], 1, refused=True)
    taker = gate.claim(beside=0)
    assert gate.index.retake([(1, claims({"x": 0, "taken": 0})[1])], taker) == {1}
    gate.index.settle(taker, [RecordMetadata(0, 2), RecordMetadata(0, 3)])
    found = gate.claim(found=0)
    gate.index.settle(found, [None], 1)
    sql(dsn, f"INSERT INTO ig_found SELECT dedupe_key, batch, 0, 9 FROM ig_claims WHERE batch = {found}")
    sql(dsn, f"INSERT INTO ig_scanned VALUES ({found}, 1, '')")
    gate.admit(plain=0)
    gate.admit(late=100)
    before = {name: state_of(dsn, name) for name in ("flying", "lost", "landed", "refused", "taken", "beside")}
    assert set(before.values()) == set(Admission)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 2
    assert gate.known("found", "plain") == set()
    assert {name: state_of(dsn, name) for name in before} == before
    assert rows(dsn) == {"claims": 7, "begun": 6, "batches": 5, "found": 0, "scanned": 0, "answers": 0}
    assert in_flight in {row[0] for row in sql(dsn, "SELECT batch FROM ig_begun")}


def state_of(dsn: str, name: str) -> Admission:
    ((state,),) = sql(dsn, f"SELECT state FROM ig_standing WHERE dedupe_key = '\\x{key(name).hex()}'")
    return Admission(str(state))


def test_ids_of_an_older_version_stay_and_hold_nothing_up(dsn: str, gate: Gate) -> None:
    old = gate.admit(old=0)
    sql(dsn, f"UPDATE ig_begun SET latest_us = NULL WHERE batch = {old}")
    gate.admit(a=0)
    gate.admit(b=100)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 1
    assert gate.known("old", "a", "b") == {"old", "b"}


def test_the_first_horizon_of_a_run_stays(dsn: str, gate: Gate) -> None:
    forgetting(dsn, HORIZON._replace(horizon_us=1_000 * S_US)).look()
    gate.admit(a=0)
    gate.admit(b=100)
    an_hour_later(dsn)
    assert forgetting(dsn).look() == 0


def test_the_horizon_of_a_run_is_in_its_configuration() -> None:
    given = config()
    assert horizon_of(given, ["traffic"]) == RunHorizon(45 * 86_400 * S_US, RESENT_ROWS_MAX, ("traffic",))
    assert horizon_of(given.model_copy(update={"ordering": "arrival"}), ["traffic"]).classes is None
