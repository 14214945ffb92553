"""Several lanes on a real Kafka: each in its own group, in one process or in several, taken over one by one, ended together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from shell_bench import Bench, a_bench
from worker_web import get_json, lanes_at

from assay.app.substrate import Server
from assay.testing import until

#: several workers start at once, on a machine that may be busy
DEADLINE_S = 90.0


@pytest.fixture
def bench(kafka: Server, namespace: str, tmp_path: Path) -> Iterator[Bench]:
    with a_bench(kafka.address, namespace, tmp_path) as made:
        yield made


def test_lanes_that_read_the_same_topics_each_get_every_row_and_commit_for_themselves(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 3_000)
    hold = bench.directory / "hold"
    hold.touch()
    bench.start(lanes=["pass", "echo"], unwanted=[bench.inputs[0].upper()])
    echoed = f"{bench.output}.echo"
    until(lambda: sum(bench.lengths(echoed).values()) == 3_000, DEADLINE_S)
    until(lambda: bench.committed("echo") == bench.ends(bench.inputs[0]), DEADLINE_S)
    assert (bench.copied(), bench.committed()) == ({}, {}), "the full lane holds back neither the rows nor the commit of the other"
    hold.unlink()
    until(lambda: bench.committed() == bench.ends(bench.inputs[0]), DEADLINE_S)
    assert bench.copied() == bench.copied(echoed)


def test_lanes_of_a_worker_start_together_and_stop_together(bench: Bench) -> None:
    worker, port = bench.start(lanes=["pass", "echo"], meet=True)
    until(lambda: lanes_at(port) == ["pass/0", "echo/0"], DEADLINE_S)
    worker.terminate()
    assert worker.wait(30) == 0


def test_a_lane_that_ends_takes_the_other_lanes_of_its_process_with_it(bench: Bench) -> None:
    worker, port = bench.start(lanes=["echo", "pass"], fault="run")
    until(lambda: lanes_at(port) == ["echo/0", "pass/0"], DEADLINE_S)
    bench.produce(bench.inputs[0], 0, 300)
    assert worker.wait(60) == 70
    assert "PRODUCE_FAILED" in bench.log(0).splitlines()[-1]


@pytest.mark.parametrize("lane", ["pass", "echo"])
def test_a_lane_that_cannot_join_its_group_ends_the_worker_and_names_the_group(bench: Bench, lane: str) -> None:
    other = Consumer({"bootstrap.servers": bench.bootstrap, "group.id": bench.group(lane)})
    other.subscribe([bench.inputs[0]])
    until(lambda: (other.poll(0.1), other.memberid())[1], DEADLINE_S)
    worker, _ = bench.start(lanes=["pass", "echo"])
    until(lambda: (other.poll(0.1), worker.poll())[1] is not None, DEADLINE_S)
    other.close()
    assert worker.wait(60) == 70
    said = bench.log(0).splitlines()[-1]
    assert f"LANE_ENDED: lane {lane}/0 is no member of its group" in said
    assert bench.group(lane) in said


def test_each_lane_of_a_standby_takes_over_from_another_worker(bench: Bench) -> None:
    bench.produce(bench.inputs[0], 0, 300)
    (first, first_port), (second, second_port) = bench.start(lanes=["pass"]), bench.start(lanes=["echo"])
    until(lambda: (lanes_at(first_port), lanes_at(second_port)) == (["pass/0"], ["echo/0"]), DEADLINE_S)
    _, port = bench.start(lanes=["pass", "echo"])
    until(lambda: lanes_at(port) == [], DEADLINE_S)
    assert get_json(port, "/table/pass_positions/x")["error"] == "LANE_NOT_ACTIVE"
    first.kill()
    until(lambda: lanes_at(port) == ["pass/0"], DEADLINE_S)
    assert lanes_at(second_port) == ["echo/0"]
    second.terminate()
    assert second.wait(30) == 0
    until(lambda: lanes_at(port) == ["pass/0", "echo/0"], DEADLINE_S)
    bench.produce(bench.inputs[0], 300, 300)
    until(lambda: bench.committed() == bench.committed("echo") == bench.ends(bench.inputs[0]), DEADLINE_S)
    assert bench.copied() == bench.copied(f"{bench.output}.echo")
