"""A topic is fed once, in the order of each partition, whatever ends the process and wherever it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connect_gate import FedGate, Killed
from fed_topic import RUN, FedTopic, filled
from hypothesis import given
from hypothesis import strategies as st
from topic_records import TOPIC, MemoryTopic, record, value_of

from assay.app.connect.aside import set_aside
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason


def test_every_record_is_fed_once_in_the_order_of_its_partition(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(7, 0, 4, gaps=3))
    fed = bank.feed()
    assert (fed.complete, fed.counts["ADMIT"], fed.position) == (True, 11, fed.total)
    for partition, size in ((0, 7), (2, 4)):
        mine = [event for event in bank.gate.admitted if event.startswith(f"{partition}-")]
        assert mine == [f"{partition}-{n}" for n in range(size)]
    assert bank.position(0) == 19
    assert bank.shown[-1] == (fed.total, "lag 0", fed.total)
    assert set(bank.gate.paths) == {"/v1/ingest/batch?results=exceptions"}
    assert bank.feed().counts == {}


@given(st.data())
def test_kills_anywhere_lose_nothing_and_do_nothing_twice(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))
    places = [(partition, n) for partition, size in enumerate(sizes) for n in range(size)]
    bad = data.draw(st.frozensets(st.sampled_from(places))) if places else frozenset[tuple[int, int]]()
    bank = FedTopic(tmp_path_factory.mktemp("bank"), filled(*sizes, bad=bad, at_once=data.draw(st.integers(1, 5))))
    bank.gate.refused = {f"{p}-{n}" for p, n in data.draw(st.frozensets(st.sampled_from(places)))} if places else set()
    refused = bad | {(int(p), int(n)) for p, _, n in (event.partition("-") for event in bank.gate.refused)}
    bank.fate.kill_at = data.draw(st.dictionaries(st.integers(1, 30), st.sampled_from(["before", "after"]), max_size=8))
    while True:
        bank.topic.at_once = data.draw(st.integers(1, 5))
        try:
            assert bank.feed(records_max=data.draw(st.integers(1, 4)), refused_max=0).complete
            break
        except Killed:
            continue
    for partition, size in enumerate(sizes):
        wanted = [f"{partition}-{n}" for n in range(size) if (partition, n) not in refused]
        assert [event for event in bank.gate.admitted if event.startswith(f"{partition}-")] == wanted
    assert sorted(bank.aside()) == sorted(refused)


def test_a_topic_that_is_told_to_stop_finishes_what_it_took(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(9))
    taken = bank.gate.post

    class Stopping(FedGate):
        async def post(self, path: str, body: bytes) -> dict[str, Any]:
            answer = await taken(path, body)
            bank.stop.set()
            return answer

    bank.gate = Stopping()
    assert not bank.feed().complete
    assert bank.position() == 3


def test_latest_is_where_the_run_began_and_stays_it(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(4))
    assert bank.feed("latest").position == 0
    bank.topic.partitions[0] += [(4, value_of(record(4, id="late")))]
    assert bank.feed("latest").counts == {"ADMIT": 1}
    assert bank.gate.admitted == ["late"]


def test_a_partition_that_comes_later_is_fed_from_its_first_record(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(2))
    bank.feed("latest")
    bank.topic.partitions.append(filled(0, 3).partitions[1])
    assert bank.feed("latest").counts == {"ADMIT": 3}


def test_a_partition_that_comes_while_it_runs_is_fed(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(2))

    class Growing(FedGate):
        async def post(self, path: str, body: bytes) -> dict[str, Any]:
            if len(bank.topic.partitions) == 1:
                bank.topic.partitions.append(filled(0, 3).partitions[1])
            answer = await super().post(path, body)
            if len(self.admitted) == 5:
                bank.stop.set()
            return answer

    bank.gate = Growing()
    assert not bank.feed(until_end=False).complete
    assert sorted(bank.gate.admitted) == ["0-0", "0-1", "1-0", "1-1", "1-2"]


def test_records_refused_one_after_the_other_end_it_and_a_corrected_mapping_takes_them(tmp_path: Path) -> None:
    bad = frozenset((0, n) for n in (1, 3, 4, 5, 6))
    bank = FedTopic(tmp_path, filled(9, bad=bad, at_once=2))
    with pytest.raises(AssayError, match="3 records were refused one after the other") as refused:
        bank.feed(refused_max=3)
    assert (refused.value.reason, refused.value.where) == (Reason.RECORDS_REFUSED, f"{TOPIC}-0@5")
    assert (bank.position(), bank.aside()) == (4, [(0, 1), (0, 3)])
    bank.topic.partitions[0][4:7] = [(n, value_of(record(n, id=f"0-{n}"))) for n in (4, 5, 6)]
    assert bank.feed(refused_max=3).complete
    assert bank.gate.admitted == ["0-0", "0-2", "0-4", "0-5", "0-6", "0-7", "0-8"]


def test_a_record_that_is_set_aside_is_told_whole(tmp_path: Path) -> None:
    topic = MemoryTopic([[(0, value_of(record(1, amount="x"))), (1, b"\xff"), (2, value_of(record(2)))]])
    bank = FedTopic(tmp_path, topic)
    bank.gate.refused = {"p2"}
    assert bank.feed().counts == {"QUARANTINE": 3}
    first, second, third = set_aside(bank.store, RUN)
    assert {name: first[name] for name in ("topic", "partition", "offset", "error", "detail", "where")} == {
        "topic": TOPIC,
        "partition": 0,
        "offset": 0,
        "error": "INPUT_VALUE_INVALID",
        "detail": "not a number: 'x'",
        "where": "column 'amount'",
    }
    assert first["remedy"]
    assert json.loads(first["value"])["amount"] == "x"
    assert (second["error"], second["value_base64"]) == ("RECORD_UNREADABLE", "/w==")
    assert (third["error"], third["where"]) == ("PAYLOAD_HASH_MISMATCH", "$")


def lose(bank: FedTopic) -> None:
    bank.topic.first, bank.topic.partitions[0] = 5, bank.topic.partitions[0][5:]


def cut(bank: FedTopic) -> None:
    del bank.topic.partitions[0][1:]


def remake(bank: FedTopic) -> None:
    bank.topic.topic_id = "id-2"


def spoil(bank: FedTopic) -> None:
    bank.store.replace(f"kafka_connect/begun/{RUN}/{TOPIC}.json", b'{"topic_id": 1}')


@pytest.mark.parametrize(
    ("damage", "code", "fault"),
    [
        (lose, "INPUT_OFFSET_LOST", "goes on at offset 3 of bank.payments-0, and the topic holds 5 to 9: 2 records may be gone"),
        (cut, "INPUT_OFFSET_LOST", "the topic holds 0 to 1: its end was cut off"),
        (remake, "INPUT_OFFSET_LOST", "is not the one that this run began with"),
        (spoil, "CHECKPOINT_MISMATCH", "the beginning of the topic cannot be read"),
    ],
)
def test_a_topic_that_lost_records_is_refused(tmp_path: Path, damage: Callable[[FedTopic], None], code: str, fault: str) -> None:
    bank = FedTopic(tmp_path, filled(9))
    bank.fate.kill_at = {4: "before"}  # begun, call, position, call
    with pytest.raises(Killed):
        bank.feed()
    bank.fate.reborn()
    damage(bank)
    with pytest.raises(AssayError) as refused:
        bank.feed()
    assert refused.value.reason.value == code
    assert fault in refused.value.what


class Changing(MemoryTopic):
    """A topic whose looks after the first one are made by `then`."""

    def __init__(self, then: Callable[[Changing], None]) -> None:
        super().__init__(filled(9).partitions)
        self._then, self._looks = then, 0

    def look(self) -> Any:
        """The topic as it is now."""
        self._looks += 1
        if self._looks > 1:
            self._then(self)
        return super().look()


def away(topic: Changing) -> None:
    raise Retry(Reason.BROKER_UNREACHABLE, "no answer")


def other(topic: Changing) -> None:
    topic.topic_id = "id-2"


def passed(topic: Changing) -> None:
    topic.first = 100


@pytest.mark.parametrize(("then", "code"), [(away, "BROKER_UNREACHABLE"), (other, "INPUT_OFFSET_LOST"), (passed, "INPUT_OFFSET_LOST")])
def test_a_topic_that_changes_while_it_is_fed_ends_it(tmp_path: Path, then: Callable[[Changing], None], code: str) -> None:
    bank = FedTopic(tmp_path, Changing(then))
    with pytest.raises(AssayError) as refused:
        bank.feed(until_end=False)
    assert refused.value.reason.value == code
    assert len(bank.gate.admitted) == len(set(bank.gate.admitted))
    assert bank.position() == len(bank.gate.admitted)


def test_a_kafka_that_comes_back_in_time_is_waited_for(tmp_path: Path) -> None:
    looks = iter([True, False] * 2)

    def then(topic: Changing) -> None:
        if next(looks, False):
            raise Retry(Reason.BROKER_UNREACHABLE, "no answer")
        if next(looks, None) is None:
            bank.stop.set()

    bank = FedTopic(tmp_path, Changing(then))
    assert not bank.feed(until_end=False).complete
    assert len(bank.gate.admitted) == 9


def test_what_was_set_aside_is_known_after_two_kills(tmp_path: Path) -> None:
    bank = FedTopic(tmp_path, filled(5, bad=frozenset((0, n) for n in range(5)), at_once=5))
    bank.fate.kill_at = {3: "before", 6: "after"}  # at the first position, and at that after a smaller fetch
    for at_once in (5, 1):
        bank.topic.at_once = at_once
        with pytest.raises(Killed):
            bank.feed()
    assert bank.position() == 1
    bank.feed()
    assert bank.aside() == [(0, n) for n in range(5)]
