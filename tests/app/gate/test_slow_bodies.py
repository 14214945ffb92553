"""A client that does not finish its body is told so and let go, over real sockets; the gate's servers are not needed for that."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from gate_process import KEY, run_in

from assay.app.gate.pipeline import BACKLOG_ITEMS
from assay.app.gate.process import Gate, bound_port, build
from assay.app.metrics import GATE, exposition
from assay.app.settings import load_settings
from assay.contracts.errors import Retry
from assay.contracts.limits import BODY_TIMEOUT_S

TIMEOUT_S = 0.2
PATHS = ("/v1/ingest/batch", "/v1/ingest/push", "/v1/ingest/marks", "/v1/payments")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Wired to addresses where nothing listens, with a short deadline; not started, so nothing is admitted."""
    run = run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    made = build(run, body_timeout_s=TIMEOUT_S)
    yield made
    for log in made.reach.logs:
        log.close()


def _served(gate: Gate, work: Callable[[int], Awaitable[Any]]) -> Any:
    async def serve() -> Any:
        runner = gate.server.runner(lingering_time=TIMEOUT_S)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            return await work(bound_port(runner))
        finally:
            await runner.cleanup()

    return asyncio.run(serve())


def _called(path: str, framing: str, *pieces: bytes) -> Callable[[int], Awaitable[tuple[str, dict[str, str], Any]]]:
    """A call that sends these pieces of a body and no more, and everything the gate answers until it hangs up."""

    async def call(port: int) -> tuple[str, dict[str, str], Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: gate\r\nX-IG-Api-Key: {KEY}\r\n{framing}\r\n\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        status, *headers = head.decode().split("\r\n")
        return status, dict(line.split(": ", 1) for line in headers), json.loads(body)

    return call


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("framing", "pieces"),
    [
        ("Content-Length: 100", ()),
        ("Content-Length: 100", (b"[", b"1")),
        ("Transfer-Encoding: chunked", (b"1\r\n[\r\n",)),
    ],
    ids=["nothing", "a part", "a chunk"],
)
def test_a_body_that_does_not_end_is_answered_with_408_and_the_connection_is_closed(
    gate: Gate, path: str, framing: str, pieces: tuple[bytes, ...]
) -> None:
    status, headers, answer = _served(gate, _called(path, framing, *pieces))
    assert status.split()[1] == "408"
    assert answer["error"] == "BODY_TOO_SLOW"
    assert "0.2 s" in answer["detail"]
    assert answer["remedy"]
    assert (headers["Connection"], headers["Retry-After"]) == ("close", "1")


class Slowly:
    """A body that takes `took_s` to come in."""

    def __init__(self, body: bytes) -> None:
        self.left, self.took_s = [body, b""], 0.0

    def set_read_chunk_size(self, _: int) -> None:
        """What aiohttp asks of a body."""

    def is_eof(self) -> bool:
        return not self.left

    async def readany(self) -> bytes:
        began_s = time.perf_counter()
        while (took_s := time.perf_counter() - began_s) < 0.05:
            await asyncio.sleep(0)
        self.took_s += took_s
        return self.left.pop(0)


@pytest.mark.parametrize(("path", "body"), [("batch", b"[]"), ("push", b"{}"), ("payments", b"[{}]"), ("labels", b"[{}]")])
def test_the_time_of_a_call_has_that_of_its_body(gate: Gate, path: str, body: bytes) -> None:
    """A gate with too much to do answers at once."""

    def told() -> float:
        return GATE.get_sample_value("assay_gate_call_seconds_sum") or 0.0

    gate.pipeline._weigh(BACKLOG_ITEMS)
    payload: Any = Slowly(body)
    before = told()
    request = make_mocked_request("POST", f"/{path}", headers={"X-IG-Api-Key": KEY}, payload=payload)
    handler = {"batch": gate.server.batch, "push": gate.server.push, "payments": gate.server.payments, "labels": gate.server.labels}[path]
    with pytest.raises(Retry, match="GATE_OVERLOADED"):
        asyncio.run(handler(request))
    assert told() - before >= payload.took_s


def test_a_body_that_goes_on_arriving_byte_by_byte_is_over_its_time_too(gate: Gate) -> None:
    async def dribble(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST /v1/payments HTTP/1.1\r\nHost: gate\r\nX-IG-Api-Key: {KEY}\r\nContent-Length: 10000000\r\n\r\n".encode())
        answer = asyncio.ensure_future(reader.readuntil(b"\r\n"))
        while not answer.done():
            writer.write(b" ")
            await asyncio.sleep(0)
        writer.close()
        return await answer

    assert b" 408 " in _served(gate, dribble)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /v1/payments HTTP/1.1\r\nHost: gate\r\nX-A: b", id="a part of its headers"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: gate\r\n\r\nGET /healthz HT", id="a call, and a part of the next"),
    ],
)
def test_who_does_not_end_the_headers_of_a_call_is_let_go(gate: Gate, sent: bytes) -> None:
    async def call(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answer = await reader.read()
        writer.close()
        return answer

    assert _served(gate, call).count(b"HTTP/1.1 ") == sent.count(b"\r\n\r\n")


def test_headers_that_go_on_arriving_byte_by_byte_are_over_their_time_too(gate: Gate) -> None:
    async def dribble(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: gate\r\nX-A: ")
        answer = asyncio.ensure_future(reader.read())
        for _ in range(4_000):  # below what headers may hold
            if not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            return await answer
        return b""

    assert _served(gate, dribble) == b""


_HEAD = f"POST /v1/payments HTTP/1.1\r\nHost: gate\r\nX-IG-Api-Key: {KEY}\r\n".encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"OPTIONS sip:gate SIP/2.0\r\n\r\n", b"400", id="another protocol"),
        pytest.param(_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", b"400", id="two lengths"),
        pytest.param(_HEAD + b"X-A: " + b"x" * 9_000 + b"\r\n\r\n", b"400", id="a header without end"),
        pytest.param(_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400", id="a chunk of no length"),
        pytest.param(_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", b"400", id="packed otherwise than said"),
        pytest.param(_HEAD + b"Content-Length: 9\r\n\r\n{", None, id="hung up inside of the body"),
    ],
)
def test_bytes_that_are_no_call_are_counted_and_not_logged(
    gate: Gate, sent: bytes, status: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Each would be a traceback, with what was sent in it, for whoever can connect."""

    def counted() -> float:
        found = re.search(rb'assay_gate_refused_calls_total\{reason="BODY_INVALID"\} (\S+)', exposition(GATE))
        return float(found[1]) if found else 0.0

    async def call(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        if status is None:
            writer.transport.abort()
            while counted() == before:
                await asyncio.sleep(0)
            return b""
        return await reader.read()

    before = counted()
    assert _served(gate, call).split()[1:2] == ([status] if status else [])
    assert counted() > before
    assert [record.getMessage() for record in caplog.records if record.name.startswith(("assay", "aiohttp"))] == []


def test_a_body_that_ends_in_time_is_read(gate: Gate) -> None:
    status, _, answer = _served(gate, _called("/v1/ingest/batch", "Content-Length: 2\r\nConnection: close", b"{", b"}"))
    assert (status.split()[1], answer["error"]) == ("400", "BODY_INVALID")


def test_the_deadline_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().gate_body_timeout_s == BODY_TIMEOUT_S
    monkeypatch.setenv("ASSAY_GATE_BODY_TIMEOUT_S", "2.5")
    assert load_settings().gate_body_timeout_s == 2.5
