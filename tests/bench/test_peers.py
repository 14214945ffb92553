"""Rivals of `assay bench lane`: what each of them computes is what the lane decides, through their own stores and on a real broker."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator

import pytest
from bench.peers import key_windows
from bench.peers.jvm import compiled
from bench.peers.registry import PEERS

from assay.app.bench import workload_w
from assay.app.bench.checks import check_peer, expected_answers
from assay.app.bench.lane import bench_config, run
from assay.app.bench.peers import answers_of
from assay.app.settings import load_settings
from assay.app.substrate.java import find_java

CONFIG = bench_config()
SMALL = ["--warm", "1000", "--events", "3000", "--slow-warm", "1000", "--slow-events", "3000", "--rounds", "1", "--uncounted", "0"]


@pytest.fixture(scope="module", params=[workload_w.STEP_MS, 200 * workload_w.STEP_MS])
def records(request: pytest.FixtureRequest) -> list[tuple[bytes | None, bytes]]:
    blocks = workload_w.records(workload_w.draw(1_500, step_ms=request.param), CONFIG.pins, CONFIG.run_id)
    return [pair for keys, values in blocks for pair in zip(keys.tolist(), [v or b"" for v in values.tolist()], strict=True)]


def test_windows_in_plain_python_that_are_packed_after_every_payment_give_the_lanes_answers(
    records: list[tuple[bytes | None, bytes]],
) -> None:
    store: dict[bytes, bytes] = {}
    answers = [key_windows.decide(value, store.get, store.__setitem__) for _, value in records]
    check_peer(answers_of([answer for _, answer in answers], documents=False), expected_answers(CONFIG, records), "plain Python")
    assert [account for account, _ in answers] == [key for key, _ in records]


@pytest.mark.tier2  # no broker, but jars from a registry
def test_what_the_java_peers_share_compiles_and_gives_the_lanes_answers(records: list[tuple[bytes | None, bytes]]) -> None:
    java = find_java()
    classes = compiled("check", [], java, load_settings(), print)
    given = b"".join(struct.pack(">i", len(value)) + value for _, value in records)
    answered = subprocess.run([str(java), "-cp", str(classes), "check.FoldValues"], input=given, capture_output=True, check=True).stdout
    check_peer(answers_of(list(_split(answered)), documents=False), expected_answers(CONFIG, records), "Java")


@pytest.mark.tier2
@pytest.mark.long
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_gives_the_lanes_answers_on_a_real_broker(name: str) -> None:
    figures = run(["--contestants", name, *SMALL])
    [measured] = figures["rounds"]
    assert measured["checked"]["events_equal_to_the_lane"] == 4_000
    assert measured["cpu_s"]["process"] > 0


def _split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length
