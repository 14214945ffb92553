"""The Faust shell on a real Kafka, with real worker processes: order, seeking, commits, backpressure, takeover, failures."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.cimpl import NewTopic
from shell_bench import PARTITIONS, Bench, a_bench
from worker_web import get_json, lanes_at

from assay.app.substrate import Server
from assay.testing import until


@pytest.fixture
def bench(kafka: Server, namespace: str, tmp_path: Path) -> Iterator[Bench]:
    with a_bench(kafka.address, namespace, tmp_path) as made:
        yield made


def test_every_row_arrives_once_in_order_with_its_offset(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 30_000)
    bench.start()
    until(lambda: sum(bench.lengths().values()) == 30_000)
    for (_, partition), rows in bench.copied().items():
        expected = [b"null" if i % 100 == 0 else b"v%d" % i for i in range(partition, 30_000, PARTITIONS)]
        assert rows == list(enumerate(expected))


def test_the_group_commits_what_the_lane_has_finished_with(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 3_000)
    bench.produce(bench.inputs[1], 0, 300)
    bench.start()
    until(lambda: bench.committed() == bench.ends(*bench.inputs))


def test_a_full_partition_is_not_fetched_while_others_flow(bench: Bench) -> None:
    hold = bench.directory / "hold"
    hold.touch()
    _, port = bench.start(unwanted=[bench.inputs[1].upper()])
    bench.produce(bench.inputs[1], 0, 3_000)
    bench.produce(bench.inputs[0], 0, 3_000)
    until(lambda: sum(bench.lengths().values()) == 3_000)
    assert {topic for topic, _ in bench.lengths()} == {bench.inputs[0]}
    assert get_json(port, "/healthz")["rows"] == {"pass/0": 3_000}
    hold.unlink()
    until(lambda: sum(bench.lengths().values()) == 6_000)


def test_a_killed_worker_goes_on_from_the_lanes_position(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 60_000)
    first, _ = bench.start()
    until(lambda: sum(bench.lengths().values()) > 0)
    first.kill()
    first.wait()
    bench.produce(bench.inputs[0], 60_000, 3_000)
    bench.start()
    until(lambda: set(bench.lengths().values()) == {21_000}, 60)
    assert all([offset for offset, _ in rows] == list(range(21_000)) for rows in bench.copied().values())


def test_the_groups_committed_offset_is_not_where_reading_starts(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 3_000)
    at_the_end = [TopicPartition(topic, p, end) for (topic, p), end in bench.ends(*bench.inputs).items()]
    request = ConsumerGroupTopicPartitions(bench.group(), at_the_end)
    next(iter(bench.admin.alter_consumer_group_offsets([request]).values())).result(10)
    bench.start()
    until(lambda: sum(bench.lengths().values()) == 3_000)


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("recover", 70, "JOURNAL_UNREADABLE"),
        ("feed", 70, "INPUT_GAP"),
        ("run", 70, "PRODUCE_FAILED"),
        ("return", 70, "LANE_ENDED"),
        ("commit", 1, "not an integer"),
        ("hang", 70, "PRODUCE_FAILED"),
    ],
)
def test_a_broken_promise_ends_the_process_and_its_last_line_names_it(bench: Bench, fault: str, code: int, said: str) -> None:
    bench.produce(bench.inputs[0], 0, 300)
    worker, _ = bench.start(fault=fault)
    assert worker.wait(60) == code
    assert said in bench.log(0).splitlines()[-1]


def test_code_that_raises_ends_the_process_and_the_row_that_met_it_is_not_passed_over(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 300)
    worker, _ = bench.start(fault="bug")
    assert worker.wait(60) == 1
    assert "nobody thought of v7" in bench.log(0).splitlines()[-1]
    assert bench.committed().get((bench.inputs[0], 1), -1) <= 0
    bench.start()
    until(lambda: sum(bench.lengths().values()) == 300, 60)
    assert all([offset for offset, _ in rows] == list(range(100)) for rows in bench.copied().values())


@pytest.mark.long
def test_a_worker_stopped_and_started_under_load_loses_and_repeats_nothing(bench: Bench) -> None:
    for round_ in range(3):
        bench.produce(bench.inputs[0], 30_000 * round_, 30_000)
        copied = sum(bench.lengths().values())
        worker, _ = bench.start()
        until(lambda: sum(bench.lengths().values()) > copied, 90)  # noqa: B023 - used at once
        worker.terminate()
        assert worker.wait(30) == 0
    bench.start()
    until(lambda: bench.committed() == bench.ends(bench.inputs[0]), 60)
    assert all([offset for offset, _ in rows] == list(range(30_000)) for rows in bench.copied().values())


def test_a_second_worker_gets_nothing_and_takes_over_when_the_first_is_killed(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 3_000)
    first, first_port = bench.start()
    until(lambda: lanes_at(first_port) == ["pass/0"])
    _, second_port = bench.start()
    until(lambda: lanes_at(second_port) == [])
    bench.produce(bench.inputs[0], 3_000, 3_000)
    until(lambda: sum(bench.lengths().values()) == 6_000)
    assert (lanes_at(first_port), lanes_at(second_port)) == (["pass/0"], [])
    first.kill()
    until(lambda: lanes_at(second_port) == ["pass/0"])
    bench.produce(bench.inputs[0], 6_000, 3_000)
    until(lambda: sum(bench.lengths().values()) == 9_000)
    assert all([offset for offset, _ in rows] == list(range(3_000)) for rows in bench.copied().values())


def test_a_frozen_worker_that_wakes_up_after_a_takeover_ends_itself(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 300)
    first, first_port = bench.start()
    until(lambda: lanes_at(first_port) == ["pass/0"])
    _, second_port = bench.start()
    until(lambda: lanes_at(second_port) == [])
    first.send_signal(signal.SIGSTOP)
    until(lambda: lanes_at(second_port) == ["pass/0"])
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 70
    assert "LANE_TAKEN_OVER" in bench.log(0)


@pytest.mark.long
def test_rebalances_under_load_lose_and_repeat_nothing(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 30_000)
    _, port = bench.start()
    until(lambda: lanes_at(port) == ["pass/0"])
    for round_ in range(3):
        other, other_port = bench.start()
        until(lambda: lanes_at(other_port) == [])  # noqa: B023 - used at once
        bench.produce(bench.inputs[0], 30_000 * (round_ + 1), 30_000)
        other.terminate()
        assert other.wait(30) == 0
    until(lambda: sum(bench.lengths().values()) == 120_000, 60)
    assert all([offset for offset, _ in rows] == list(range(40_000)) for rows in bench.copied().values())
    until(lambda: bench.committed() == bench.ends(bench.inputs[0]))


@pytest.mark.parametrize("loss", ["deleted", "made anew"])
def test_input_that_is_gone_stops_the_worker(bench: Bench, loss: str) -> None:
    topic = bench.inputs[0]
    bench.produce(topic, 0, 3_000)
    first, _ = bench.start()
    until(lambda: sum(bench.lengths().values()) == 3_000)
    first.kill()
    first.wait()
    if loss == "deleted":
        bench.produce(topic, 3_000, 3_000)
        for future in bench.admin.delete_records([TopicPartition(topic, p, 1_500) for p in range(PARTITIONS)]).values():
            future.result(10)
    else:
        bench.admin.delete_topics([topic])[topic].result(10)
        until(lambda: topic not in bench.admin.list_topics(timeout=10).topics)
        bench.admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(10)
    second, _ = bench.start()
    assert second.wait(60) == 70
    assert "INPUT_OFFSET_LOST" in bench.log(1).splitlines()[-1]


def test_a_row_of_the_lanes_state_is_read_over_the_web(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 300)
    worker, port = bench.start()
    key = f"{bench.inputs[0].upper()}:1"
    until(lambda: get_json(port, f"/table/pass_positions/{key}") == {"next_offset": 100})
    assert get_json(port, f"/table/pass_positions/{key}/") == {"next_offset": 100}
    assert get_json(port, "/table/pass_positions/nobody:0")["error"] == "ROW_NOT_FOUND"
    assert get_json(port, f"/table/unheard_of/{key}")["error"] == "PATH_UNKNOWN"
    assert [table["name"] for table in get_json(port, "/table/")] == ["pass_positions"]
    assert get_json(port, "/table/pass_positions/")["help"] == "pass_positions of lane pass/0"
    worker.terminate()
    assert worker.wait(30) == 0
