"""Answers are on the topic before they are told, and two gates tell one answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from deciding_runs import run_by_arrival

from assay.app.bus.topic_reader import read_records
from assay.app.gate.answer_index import AnswerIndex
from assay.app.gate.answer_log import AnswerLog
from assay.app.gate.publisher import BusPublisher
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.errors import AssayError, Retry
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.handles import ANSWERS
from assay.contracts.ids import dedupe_key
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_by_arrival(tmp_path / "run", kafka.address, dsn, namespace)


class Logs:
    """Logs of several gates of one run, and what they reported."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.made: list[AnswerLog] = []
        self.met: list[AssayError] = []

    def one(self, dsn: str = "", topic_name: str = "", *, shared: bool = False) -> AnswerLog:
        run = self._run
        publisher = BusPublisher(run.bootstrap, {ANSWERS: topic_name or topic(ANSWERS).name(run.namespace)})
        index = AnswerIndex(dsn or run.dsn, run.platform_run_id)
        log = AnswerLog(publisher, index, run.platform_run_id, self.met.append, shared=shared)
        log.start()
        self.made.append(log)
        return log

    def on_topic(self) -> list[tuple[bytes | None, bytes | None]]:
        return [(record.key, record.value) for record in read_records(self._run.bootstrap, ANSWERS, self._run.namespace)]


@pytest.fixture
def logs(run: Run) -> Iterator[Logs]:
    made = Logs(run)
    yield made
    for log in made.made:
        log.stop()


def test_answers_that_wait_together_are_each_on_the_topic_and_found_again(logs: Logs, run: Run) -> None:
    log = logs.one()
    asked: list[Future[bytes]] = [log.write(f"pay-{number}", b"answer %d" % number) for number in range(50)]
    assert [one.result(60) for one in asked] == [b"answer %d" % number for number in range(50)]
    assert sorted(logs.on_topic()) == sorted((b"pay-%d" % number, b"answer %d" % number) for number in range(50))
    assert log.remembered("pay-7") == b"answer 7"
    index = AnswerIndex(run.dsn, run.platform_run_id)
    assert index.answer(dedupe_key(run.platform_run_id, TRAFFIC, "pay-7")) == b"answer 7"
    assert log.remembered("pay-50") is None


def test_of_two_gates_the_second_tells_what_the_first_told_and_the_last_record_says_so(logs: Logs) -> None:
    first, second = logs.one(), logs.one()
    assert first.write("pay-1", b"first").result(60) == b"first"
    assert second.write("pay-1", b"second").result(60) == b"first"
    assert second.remembered("pay-1") == b"first"
    assert [value for _, value in logs.on_topic()] == [b"first", b"second", b"first"]


def test_of_two_processes_the_second_writes_what_the_first_wrote_and_nothing_else(logs: Logs) -> None:
    first, second = (logs.one(shared=True) for _ in range(2))
    assert first.write("pay-1", b"first").result(60) == b"first"
    assert second.write("pay-1", b"second").result(60) == b"first"
    assert second.remembered("pay-1") == b"first"
    assert logs.on_topic() == [(b"pay-1", b"first")] * 2


def test_an_answer_that_a_process_claimed_and_could_not_write_is_written_by_the_next_one(logs: Logs) -> None:
    with pytest.raises(Retry):
        logs.one(topic_name="a.topic.that.is.not.there", shared=True).write("pay-1", b"first").result(60)
    assert logs.on_topic() == []
    assert logs.one(shared=True).write("pay-1", b"second").result(60) == b"first"
    assert logs.on_topic() == [(b"pay-1", b"first")]


def test_one_of_several_processes_tells_nothing_while_it_cannot_claim(logs: Logs) -> None:
    log = logs.one(dsn="postgresql://nobody@127.0.0.1:1/none", shared=True)
    with pytest.raises(Retry) as refusal:
        log.write("pay-1", b"answer").result(60)
    assert (refusal.value.reason, logs.on_topic()) == (Reason.INDEX_UNAVAILABLE, [])


def test_an_answer_is_told_while_its_index_is_away_and_the_gate_hears_of_it(logs: Logs) -> None:
    log = logs.one(dsn="postgresql://nobody@127.0.0.1:1/none")
    assert log.write("pay-1", b"told").result(60) == b"told"
    assert {one.reason for one in logs.met} == {Reason.INDEX_UNAVAILABLE}


def test_an_answer_that_the_bus_does_not_take_is_not_told_and_the_next_one_is_written(logs: Logs) -> None:
    log = logs.one(topic_name="a.topic.that.is.not.there")
    for _ in range(2):
        with pytest.raises(Retry) as refusal:
            log.write("pay-1", b"answer").result(60)
        assert refusal.value.reason is Reason.BUS_UNAVAILABLE
    assert (log.remembered("pay-1"), logs.on_topic()) == (None, [])
