"""The control bus on Kinesis keeps the laws of control buses; what Kinesis refuses is told by a code."""

from __future__ import annotations

import itertools
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kinesis_server
import pytest
from botocore.exceptions import ClientError
from control_bus_laws import LAWS, Law, message

from assay.app.control_bus.kinesis_bus import KinesisControlBus, kinesis_client
from assay.app.substrate import Server
from assay.contracts.errors import AssayError
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

pytestmark = pytest.mark.tier1
TOPIC = topic(CONTROL).name()
TICKS = itertools.count(1_700_000_000_000_000)


@pytest.fixture(scope="module")
def server(server_room: Path) -> Iterator[Server]:
    """A server that speaks Kinesis."""
    started = kinesis_server.start(server_room / "kinesis")
    yield started
    started.stop()


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    return kinesis_client(server.address, "eu-west-2")


@pytest.fixture
def stream(client: Any) -> str:
    """An empty stream of one shard."""
    return made(client, 1)


def made(client: Any, shards: int) -> str:
    name = f"control-{secrets.token_hex(4)}"
    client.create_stream(StreamName=name, ShardCount=shards)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def opened(client: Any, stream: str) -> KinesisControlBus:
    return KinesisControlBus(stream, TOPIC, client, lambda: next(TICKS))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_bus_on_kinesis_keeps(law: Law, client: Any, stream: str) -> None:
    law(lambda: opened(client, stream))


def test_a_stream_of_two_shards_is_refused(client: Any) -> None:
    with pytest.raises(AssayError) as refused:
        list(opened(client, made(client, 2)).read())
    assert refused.value.reason is Reason.TOPIC_MISMATCH


def test_bytes_of_another_writer_are_refused(client: Any, stream: str) -> None:
    client.put_record(StreamName=stream, Data=b"hello", PartitionKey="k")
    with pytest.raises(AssayError) as refused:
        list(opened(client, stream).read())
    assert refused.value.reason is Reason.CONTROL_MESSAGE_INVALID


def test_a_stream_that_is_not_there_is_told(client: Any) -> None:
    for call in (lambda bus: bus.publish(message(0)), lambda bus: list(bus.read())):
        with pytest.raises(AssayError) as refused:
            call(opened(client, "nowhere"))
        assert refused.value.reason is Reason.TOPIC_UNKNOWN


class InTurn:
    """A server that takes time for a record, and notices a call beside another, and one that does not name the record before it."""

    def __init__(self) -> None:
        self._busy, self._last, self.faults = threading.Lock(), "", list[str]()

    def put_record(self, *, SequenceNumberForOrdering: str = "", **_: Any) -> dict[str, str]:  # noqa: N803 - boto3's name
        if not self._busy.acquire(blocking=False):
            self.faults.append("two calls at once")
            return {"SequenceNumber": "0"}
        with self._busy_until_here(SequenceNumberForOrdering):
            self._last = str(int(self._last or 0) + 1)
            return {"SequenceNumber": self._last}

    @contextmanager
    def _busy_until_here(self, before: str) -> Iterator[None]:
        if before != self._last:
            self.faults.append(f"{before} named, {self._last} was the last one")
        for _ in range(1_000):
            os.sched_yield()  # lets the other threads come
        yield
        self._busy.release()


def test_threads_that_publish_take_turns_and_each_names_the_record_before() -> None:
    server = InTurn()
    bus = opened(server, "s")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: bus.publish(message(number)), range(40)))
    assert server.faults == []


class Refusing:
    """A server that answers every call with one error."""

    def __init__(self, code: str) -> None:
        self._code = code

    def put_record(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": self._code}}, "PutRecord")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDeniedException", Reason.ACCESS_DENIED),
        ("UnrecognizedClientException", Reason.ACCESS_DENIED),
        ("ProvisionedThroughputExceededException", Reason.BROKER_UNREACHABLE),
        ("InternalFailure", Reason.BROKER_UNREACHABLE),
    ],
)
def test_an_answer_of_kinesis_becomes_a_code(code: str, reason: Reason) -> None:
    with pytest.raises(AssayError) as refused:
        opened(Refusing(code), "s").publish(message(0))
    assert refused.value.reason is reason


def test_a_server_that_is_not_there_is_told(client: Any) -> None:
    with pytest.raises(AssayError) as refused:
        opened(kinesis_client("http://127.0.0.1:1", "eu-west-2"), "s").publish(message(0))
    assert refused.value.reason is Reason.BROKER_UNREACHABLE


def test_without_a_key_nothing_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AssayError) as refused:
        opened(kinesis_client(server.address, "eu-west-2"), "s").publish(message(0))
    assert refused.value.reason is Reason.ACCESS_DENIED


def test_an_endpoint_that_is_no_address_is_refused() -> None:
    with pytest.raises(AssayError) as refused:
        kinesis_client("not an address", "eu-west-2")
    assert refused.value.reason is Reason.SETTING_INVALID
