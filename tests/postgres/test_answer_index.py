"""Answers are found again by payment, and what the topic has beyond the index is taken with each new connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg
import pytest

from assay.app.gate.answer_index import AnswerIndex, Placed
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

RUN = "platform_20260101T000000Z"


def key(number: int) -> bytes:
    return bytes([number]) * 32


def placed(number: int, value: bytes = b"told", partition: int = 0) -> Placed:
    return Placed(key(number), partition, number, value)


class Topic:
    """Answers on a topic, and what was asked of it."""

    def __init__(self, *answers: Placed) -> None:
        self.answers = list(answers)
        self.asked: list[dict[int, int]] = []

    def behind(self, first: Mapping[int, int]) -> Iterable[Placed]:
        self.asked.append(dict(first))
        return [one for one in self.answers if one.offset >= first.get(one.partition, 0)]


def test_the_first_answer_to_a_payment_stands(dsn: str) -> None:
    index = AnswerIndex(dsn, RUN)
    assert not index.has_any()
    assert index.add([placed(1, b"one"), placed(2, b"two")]) == {}
    assert index.add([placed(2, b"other"), placed(3, b"three")]) == {key(2): b"two"}
    assert [index.answer(key(number)) for number in range(1, 5)] == [b"one", b"two", b"three", None]
    assert index.has_any()
    assert not AnswerIndex(dsn, "platform_20270101T000000Z").has_any()


def test_the_first_claim_of_an_answer_stands_and_gives_way_to_one_that_was_told(dsn: str) -> None:
    one, other = AnswerIndex(dsn, RUN), AnswerIndex(dsn, RUN)
    assert one.claim_answers({key(1): b"one", key(2): b"two"}) == {key(1): b"one", key(2): b"two"}
    assert other.claim_answers({key(3): b"three", key(2): b"other"}) == {key(3): b"three", key(2): b"two"}
    assert one.claim_answers({key(1): b"one again"}) == {key(1): b"one"}
    assert (one.answer(key(1)), one.has_any()) == (None, False), "a claim is not told"
    one.add([placed(4, b"told before there were several processes")])
    assert other.claim_answers({key(4): b"four"}) == {key(4): b"told before there were several processes"}


def test_a_database_of_before_there_were_claims_gets_their_table(dsn: str) -> None:
    AnswerIndex(dsn, RUN).ready()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE ig_answer_claims")
    assert AnswerIndex(dsn, RUN).claim_answers({key(1): b"one"}) == {key(1): b"one"}


def test_a_claim_is_on_disk_before_it_is_told_though_the_rows_of_answers_need_not_be(dsn: str) -> None:
    """A claim that a crash of PostgreSQL forgot could be made again with another answer."""
    seen = list[str]()
    index = AnswerIndex(dsn, RUN)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE noted (how text)")
        connection.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$"
        )
        index.ready()
        for table in ("ig_answer_claims", "ig_answers"):
            connection.execute(f"CREATE TRIGGER noting BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION note()".encode())
        index.claim_answers({key(1): b"one"})
        index.add([placed(1)])
        seen += [str(row[0]) for row in connection.execute("SELECT how FROM noted").fetchall()]
    assert seen == ["on", "off"]


def test_a_connection_takes_what_the_topic_has_beyond_the_index(dsn: str) -> None:
    AnswerIndex(dsn, RUN).add([placed(1), placed(4, partition=1)])
    topic = Topic(placed(0, b"before"), placed(2, b"first"), placed(5, b"five", 1), Placed(key(2), 0, 3, b"last"))
    index = AnswerIndex(dsn, RUN, topic.behind)
    assert index.answer(key(2)) == b"last", "the last answer to a payment is what was told"
    assert (index.answer(key(5)), index.answer(key(0))) == (b"five", None)
    assert topic.asked == [{0: 2, 1: 5}]
    assert index.add([placed(6)]) == {}
    assert len(topic.asked) == 1


def test_rows_that_a_crash_lost_are_there_again_with_the_next_connection(dsn: str) -> None:
    topic = Topic(placed(1), placed(2))
    index = AnswerIndex(dsn, RUN, topic.behind)
    assert index.answer(key(2)) == b"told"
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute('DELETE FROM ig_answers WHERE "offset" = 2')
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%ig_answers%'")
    assert index.add([placed(3)]) == {}
    assert index.answer(key(2)) == b"told"
    assert topic.asked == [{}, {0: 2}]


def test_a_topic_that_cannot_be_read_is_asked_again(dsn: str) -> None:
    answers = [placed(1)]

    def behind(_: Mapping[int, int]) -> Iterable[Placed]:
        if answers:
            raise Retry(Reason.BROKER_UNREACHABLE, "away")
        return []

    index = AnswerIndex(dsn, RUN, behind)
    with pytest.raises(Retry):
        index.add([placed(1)])
    answers.clear()
    assert index.add([placed(1)]) == {}
