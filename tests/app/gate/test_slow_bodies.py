"""A client that does not finish its body is told so and let go, over real sockets; the gate's servers are not needed for that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gate_process import KEY, run_in

from assay.app.gate.process import Gate, bound_port, build
from assay.app.settings import load_settings
from assay.contracts.limits import BODY_TIMEOUT_S

TIMEOUT_S = 0.2
PATHS = ("/v1/ingest/batch", "/v1/ingest/push", "/v1/ingest/marks", "/v1/payments")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Wired to addresses where nothing listens, with a short deadline; not started, so nothing is admitted."""
    run = run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    made = build(run, body_timeout_s=TIMEOUT_S)
    yield made
    for log in made.logs:
        log.close()


def _served(gate: Gate, work: Callable[[int], Awaitable[Any]]) -> Any:
    async def serve() -> Any:
        runner = web.AppRunner(gate.server.application(), access_log=None, lingering_time=TIMEOUT_S)
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


def test_a_body_that_ends_in_time_is_read(gate: Gate) -> None:
    status, _, answer = _served(gate, _called("/v1/ingest/batch", "Content-Length: 2\r\nConnection: close", b"{", b"}"))
    assert (status.split()[1], answer["error"]) == ("400", "BODY_INVALID")


def test_the_deadline_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().gate_body_timeout_s == BODY_TIMEOUT_S
    monkeypatch.setenv("ASSAY_GATE_BODY_TIMEOUT_S", "2.5")
    assert load_settings().gate_body_timeout_s == 2.5
