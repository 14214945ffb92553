"""The admission index on real PostgreSQL: claims, settlements, what is unknown, and races."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest
from claims import Claim
from psycopg.conninfo import make_conninfo

from assay.app.gate.index import AdmissionIndex, Process, _next_epoch
from assay.app.gate.replies import ANSWER_WITHIN_S
from assay.app.gate.standing import Admission, RecordMetadata, Standing
from assay.app.substrate import Server
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

#: what a statement waits for at most, as the server calls it
WAITS = ("lock_timeout", "statement_timeout")


IN_FLIGHT, AMBIGUOUS, RELEASED = Admission.IN_FLIGHT, Admission.AMBIGUOUS, Admission.RELEASED
_RUNS = count()
TS_US = 1_767_225_600_000_000


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def claims(*names: str, payload: str = "p", first: int = 0) -> list[Claim]:
    """Claims of these events, which arrived as number `first` and so on."""
    return [Claim(digest(name), digest(payload), order, TS_US) for order, name in enumerate(names, first)]


def test_new_keys_are_claimed_and_known_ones_come_back_with_their_place(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    first, _ = index.next_batch(2)
    assert index.claim(claims("a", "b", first=2**62), first) == {}
    index.settle(first, [RecordMetadata(2, 40), None])
    again = index.claim(claims("c", "b", "a", first=7), index.next_batch(3)[0])
    assert again == {
        1: Standing(digest("p"), 2**62 + 1, None, TS_US, AMBIGUOUS),
        2: Standing(digest("p"), 2**62, RecordMetadata(2, 40), TS_US),
    }


def test_a_claim_that_was_never_settled_has_no_place(dsn: str) -> None:
    AdmissionIndex(dsn).claim(claims("a"), 1)
    assert AdmissionIndex(dsn).claim(claims("a", payload="other"), 2) == {0: Standing(digest("p"), 0, None, TS_US, IN_FLIGHT)}


def release(dsn: str, batch: int) -> None:
    """As an operator does."""
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO ig_released (batch, by) VALUES (%s, 'test')", (batch,))


def test_only_a_released_claim_is_retaken_and_the_batch_that_took_it_settles_it(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a"), 1)
    assert index.retake([(1, claims("a", first=6)[0])], 2) == set(), "it is in flight"
    index.settle(1, [None], 1)
    assert index.retake([(1, claims("a", first=6)[0])], 2) == set(), "it may be on the bus"
    release(dsn, 1)
    assert index.claim(claims("b", "a", first=5), 2) == {1: Standing(digest("p"), 0, None, TS_US, RELEASED)}
    assert index.retake([(1, claims("a", first=6)[0])], 2) == {1}
    index.settle(2, [RecordMetadata(0, 1), RecordMetadata(0, 2)])
    assert index.claim(claims("a", first=9), 3) == {0: Standing(digest("p"), 0, RecordMetadata(0, 2), TS_US)}, "it keeps its first number"


def test_a_released_claim_is_taken_by_one_batch_also_where_it_asks_twice(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a"), 1)
    index.settle(1, [None], 1)
    release(dsn, 1)
    (claim,) = claims("a")
    assert [index.retake([(0, claim)], batch) for batch in (2, 2, 3)] == [{0}, {0}, set()]
    assert index.claim(claims("a"), 4) == {0: Standing(digest("p"), 0, None, TS_US, IN_FLIGHT)}
    assert index.admitted_since_s(digest("a")) == 0
    index.settle(2, [None], 1)
    release(dsn, 2)
    assert index.retake([(0, claim)], 5) == {0}, "what failed again is released again"
    index.settle(5, [RecordMetadata(0, 9)])
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT batch FROM ig_claims").fetchall() == [(1,)]
        assert connection.execute("SELECT batch, of_batch FROM ig_retakes ORDER BY batch").fetchall() == [(2, 1), (5, 2)]
        assert connection.execute('SELECT state, "offset" FROM ig_admissions').fetchall() == [("ADMITTED", 9)]


def test_of_processes_that_race_for_a_released_claim_one_publishes_it(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    mine = claims(*(f"e{i}" for i in range(100)))
    index.claim(mine, 1)
    index.settle(1, [None] * 100, 100)
    release(dsn, 1)
    start = threading.Barrier(4)

    def race(number: int) -> set[int]:
        other = AdmissionIndex(dsn)
        other.ready()
        start.wait()
        return other.retake(list(enumerate(mine)), 2 + number)

    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(race, range(4)))
    assert sum(map(len, won)) == 100
    assert set().union(*won) == set(range(100))


def test_a_batch_that_no_producer_took_is_released_at_once(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a"), 1)
    index.settle(1, [None], 1, refused=True)
    assert index.claim(claims("a"), 2) == {0: Standing(digest("p"), 0, None, TS_US, RELEASED)}


def test_a_claim_of_a_version_that_noted_no_batches_may_be_sent_again(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a"), 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM ig_begun")
    assert index.claim(claims("a"), 2) == {0: Standing(digest("p"), 0, None, TS_US, RELEASED)}


def test_the_view_shows_every_state(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a", "b"), 1)
    index.claim(claims("c"), 2)
    index.settle(1, [RecordMetadata(1, 5), None])
    with psycopg.connect(dsn) as connection:
        rows = connection.execute('SELECT dedupe_key, state, partition, "offset" FROM ig_admissions').fetchall()
    assert {row[0]: row[1:] for row in rows} == {
        digest("a").hex(): ("ADMITTED", 1, 5),
        digest("b").hex(): ("AMBIGUOUS", None, None),
        digest("c").hex(): ("IN_FLIGHT", None, None),
    }


def test_batches_of_two_processes_never_share_a_number(dsn: str) -> None:
    one, two = AdmissionIndex(dsn), AdmissionIndex(dsn)
    assert len({index.next_batch(1)[0] for index in (one, one, two, two)}) == 4


def test_items_are_numbered_in_order_of_arrival_also_by_the_gate_that_comes_after(dsn: str) -> None:
    one, two = AdmissionIndex(dsn), AdmissionIndex(dsn)
    (_, first), (_, second), (_, after) = one.next_batch(3), one.next_batch(2), two.next_batch(1)
    assert second == first + 3
    assert 2**53 > after >= second + 2


def test_a_table_of_before_items_were_numbered_gets_the_column(dsn: str) -> None:
    AdmissionIndex(dsn).claim(claims("a", first=3), 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE ig_claims DROP COLUMN source_order CASCADE")
    assert AdmissionIndex(dsn).claim(claims("a", "b", first=5), 2) == {0: Standing(digest("p"), 0, None, TS_US, IN_FLIGHT)}


def test_of_racing_claims_each_key_is_won_once(dsn: str) -> None:
    names = [f"e{i}" for i in range(200)]
    AdmissionIndex(dsn).ready()
    start = threading.Barrier(4)

    def race(number: int) -> int:
        index = AdmissionIndex(dsn)
        index.ready()
        batch, _ = index.next_batch(len(names))
        mine = claims(*(names if number % 2 else reversed(names)))
        start.wait()
        won = len(mine) - len(index.claim(mine, batch))
        index.close()
        return won

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(race, range(4))) == len(names)


def test_one_process_of_a_number_serves_a_run(dsn: str) -> None:
    first = AdmissionIndex(dsn, process=Process("run-1"))
    first.ready()
    AdmissionIndex(dsn, process=Process("run-2")).ready()
    AdmissionIndex(dsn, process=Process("run-1", 1)).ready()
    with pytest.raises(Stop) as refusal:
        AdmissionIndex(dsn, process=Process("run-1"), patience_ms=200).ready()
    assert refusal.value.reason is Reason.GATE_ALREADY_RUNNING
    first.close()
    AdmissionIndex(dsn, process=Process("run-1")).ready()


def test_an_absent_database_is_to_be_tried_again(postgres: Server) -> None:
    nowhere = postgres.address.replace(f":{postgres.port}/", ":1/")
    with pytest.raises(Retry) as refusal:
        AdmissionIndex(nowhere).ready()
    assert refusal.value.reason is Reason.INDEX_UNAVAILABLE


def test_a_connection_the_server_dropped_is_made_again(dsn: str) -> None:
    index = AdmissionIndex(make_conninfo(dsn, application_name="to_be_dropped"))
    index.claim(claims("a"), 1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'to_be_dropped'")
    assert index.claim(claims("a", "b"), 2) == {0: Standing(digest("p"), 0, None, TS_US, IN_FLIGHT)}


@pytest.mark.parametrize(("durable", "commits"), [(True, "on"), (False, "off")])
def test_a_connection_commits_as_durably_as_it_is_asked_to_and_waits_for_nothing_without_end(durable: bool, commits: str, dsn: str) -> None:
    index = AdmissionIndex(dsn, durable=durable)
    index.ready()
    connection = index._connection
    assert connection is not None
    rows = connection.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (["synchronous_commit", *WAITS],)).fetchall()
    found: dict[str, str] = dict(rows)
    assert found.pop("synchronous_commit") == commits
    assert {name: 0 < int(wait_ms) <= 1_000 * ANSWER_WITHIN_S for name, wait_ms in found.items()} == dict.fromkeys(WAITS, True)
    index.close()


def test_an_epoch_is_durable_whatever_the_connection_is(dsn: str) -> None:
    """One that a crashed server forgot would be given out twice, and two batches would share a number."""
    AdmissionIndex(dsn).ready()
    said: list[str] = []

    class Noted(psycopg.Cursor[Any]):
        """A cursor that notes what it executes."""

        def execute(self, query: Any, *args: Any, **options: Any) -> Noted:
            said.append(str(query))
            return super().execute(query, *args, **options)

    with psycopg.connect(dsn, autocommit=True, cursor_factory=Noted) as connection:
        connection.execute("SET synchronous_commit = off")
        said.clear()
        assert _next_epoch(connection, None) > 0
    assert said == ["SET LOCAL synchronous_commit = on", "SELECT nextval('ig_epoch')"]


def test_how_long_an_event_is_admitted_is_told_and_that_it_is_not(dsn: str) -> None:
    index = AdmissionIndex(dsn)
    index.claim(claims("a"), 1)
    assert index.admitted_since_s(digest("a")) == 0
    index.settle(1, [RecordMetadata(1, 5)])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("UPDATE ig_batches SET settled_at = now() - interval '90 s'")
    since_s = index.admitted_since_s(digest("a"))
    assert since_s is not None
    assert 90 <= since_s < 900
    assert index.admitted_since_s(digest("b")) is None


def test_the_first_currency_of_a_run_is_its_own_for_good(dsn: str) -> None:
    pins = [AdmissionIndex(dsn).pin_currency(run, currency) for run, currency in (("r", "EUR"), ("r", "JPY"), ("s", "JPY"))]
    assert pins == ["EUR", "EUR", "JPY"]
