"""Every refusal has one shape: what, where, and a remedy of its own. An item by itself has a status of its own."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from backports import zstd
from gate_events import raw
from gate_process import KEY, mark, run_in
from source_tree import calls, name_of, sources

from assay.app.gate.answers import refused
from assay.app.gate.calls import Answer
from assay.app.gate.coding import unpacked
from assay.app.gate.decisions import _pending
from assay.app.gate.item_answers import single
from assay.app.gate.process import Gate, bound_port, build
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.limits import HEADER_BYTES_MAX, HEADERS_MAX
from assay.contracts.reasons import Reason

FIELDS = {"error", "detail", "where", "remedy"}
POSTED = make_mocked_request("POST", "/v1/payments", headers={"Host": "gate:1"})


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Wired to addresses where nothing listens; not started, so nothing is admitted."""
    made = build(run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))
    yield made
    for log in made.reach.logs:
        log.close()


def heard(gate: Gate, sent: bytes) -> bytes:
    """Everything that the gate answers to these bytes until it hangs up."""

    async def call() -> bytes:
        runner = gate.server.runner(lingering_time=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", bound_port(runner))
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            return answer
        finally:
            await runner.cleanup()

    return asyncio.run(call())


def answered(gate: Gate, sent: bytes) -> tuple[int, dict[str, str], Any]:
    """(status, headers, body) of the gate's answer to a call."""
    head, _, body = heard(gate, sent).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in headers), json.loads(body)


def call(path: str, body: bytes, *headers: str, method: str = "POST", key: str = KEY) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: gate", "Connection: close", f"X-IG-Api-Key: {key}", *headers]
    if not any(header.startswith("Transfer-Encoding") for header in headers):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


PUSH, CHUNKS = "/v1/ingest/push", b"2\r\n{}\r\n0\r\n\r\n"
TWO_AMOUNTS = b'{"amount_minor":1,"amount_minor":2,"currency":"EUR","entities":{}}'
TWICE = raw(mark("2018-04-02T00:00:00.000000Z"))[:-1] + b',"seed":7}'


@pytest.mark.parametrize(
    ("sent", "status", "error", "where"),
    [
        (call(PUSH, b"{}", key="wrong"), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (call("/v1/payment", b"{}"), 404, "PATH_UNKNOWN", "POST /v1/payment"),
        (call("/v1/payments", b"", method="GET"), 405, "METHOD_NOT_ALLOWED", "GET /v1/payments"),
        (call("/healthz", b"", method="DELETE"), 405, "METHOD_NOT_ALLOWED", "DELETE /healthz"),
        (call(PUSH, b"{"), 400, "BODY_INVALID", "byte 1"),
        (call(PUSH, b'{"a":1} oops'), 400, "BODY_INVALID", "byte 9"),
        (call("/v1/ingest/batch", b"{}"), 400, "BODY_INVALID", "$"),
        (call("/v1/ingest/batch", b"[" + b"1," * 5_000 + b"1]"), 413, "BODY_OVER_LIMIT", "POST /v1/ingest/batch"),
        (call("/v1/payments", b'{"currency":"EUR"}'), 400, "BODY_INVALID", "$.amount_minor"),
        (call("/v1/payments", b'{"amount_minor":"5"}'), 400, "BODY_INVALID", "$.amount_minor"),
        (call("/v1/payments", b'{"amount":5}'), 400, "BODY_INVALID", "$.amount"),
        (call("/v1/ingest/marks", b"{}"), 400, "MARK_INVALID", "$.platform_run_id"),
        (call("/v1/ingest/marks", raw(mark("yesterday"))), 400, "MARK_INVALID", "$.ts_utc"),
        (call("/v1/ingest/marks", raw(mark("2018-04-02T00:00:00.000000Z", classes=["audit"]))), 400, "MARK_INVALID", "$.classes"),
        (call("/v1/ingest/marks", raw(mark("2018-04-02T00:00:00.000000Z", seed=8))), 400, "RUN_SCOPE_MISMATCH", "$.seed"),
        (call("/v1/ingest/marks", TWICE), 400, "KEY_DUPLICATE", "$.seed"),
        (call(PUSH, CHUNKS, "Transfer-Encoding: identity, chunked"), 501, "HTTP_UNSUPPORTED", "Transfer-Encoding"),
        (call(PUSH, CHUNKS, "Transfer-Encoding: gzip, chunked"), 501, "HTTP_UNSUPPORTED", "Transfer-Encoding"),
        (call(PUSH, b"{}").replace(b"HTTP/1.1", b"HTTP/0.9"), 501, "HTTP_UNSUPPORTED", f"POST {PUSH}"),
        (call(PUSH, b"{}", "Content-Encoding: br"), 415, "CODING_UNSUPPORTED", "Content-Encoding"),
        (call(PUSH, b"{}", "Content-Encoding: gzip"), 400, "BODY_INVALID", "Content-Encoding"),
        (call(PUSH, zlib.compress(b"{}")[:-2], "Content-Encoding: deflate"), 400, "BODY_INVALID", "Content-Encoding"),
        (call(PUSH, gzip.compress(b" " * (17 << 20)), "Content-Encoding: gzip"), 413, "BODY_OVER_LIMIT", f"POST {PUSH}"),
        (
            call("/v1/ingest/batch", zstd.compress(b" " * (17 << 20)), "Content-Encoding: zstd"),
            413,
            "BODY_OVER_LIMIT",
            "POST /v1/ingest/batch",
        ),
        (call("/v1/ingest/batch", b"{}", "Content-Type: text/csv"), 415, "MEDIA_TYPE_UNSUPPORTED", "Content-Type"),
        (call("/v1/ingest/batch", b"{}", "Content-Type: application/avro"), 400, "BODY_INVALID", "byte 0"),
        (call("/v1/ingest/batch", b"{}", "Content-Type: application/vnd.apache.arrow.stream"), 400, "BODY_INVALID", "$"),
        (call(PUSH, b"{}", "Content-Type: application/x-ndjson"), 415, "MEDIA_TYPE_UNSUPPORTED", "Content-Type"),
        (call("/v1/payments", b"{}", "Content-Type: application/avro"), 415, "MEDIA_TYPE_UNSUPPORTED", "Content-Type"),
        (call("/v1/ingest/batch", b"[]", "Content-Type: text/csv", key="wrong"), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (call("/v1/ingest/batch", b"[" * 100_000), 400, "NESTING_TOO_DEEP", "$"),
        (call("/healthz", b"", *(f"X-{i}: 1" for i in range(HEADERS_MAX)), method="GET"), 431, "HEADERS_OVER_LIMIT", "headers"),
        (call("/healthz", b"", f"X-A: {'a' * HEADER_BYTES_MAX}", method="GET"), 431, "HEADERS_OVER_LIMIT", "headers"),
        (call(PUSH, b"{}", "Expect: a miracle"), 417, "EXPECTATION_UNSUPPORTED", "Expect"),
        (call("/v1/decisions/e-1", b"", method="GET", key="wrong"), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (call("/v1/decisions/%7Be%7D", b"", method="GET", key="wrong"), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (call("/v1/decisions/e/1", b"", method="GET"), 404, "PATH_UNKNOWN", "GET /v1/decisions/e/1"),
        (call("/v1/decisions", b"", method="GET"), 404, "DECISION_NOT_FOUND", "event_id"),
        (call("/v1/labels", b'{"label":"FRAUD"}'), 400, "BODY_INVALID", "$.payment"),
        (b"GET /healthz\r\n\r\n", 501, "HTTP_UNSUPPORTED", "GET /healthz"),
    ],
)
def test_a_call_that_is_refused_is_told_what_where_and_what_helps(gate: Gate, sent: bytes, status: int, error: str, where: str) -> None:
    got, headers, body = answered(gate, sent)
    assert (got, body["error"], body["where"]) == (status, error, where), body
    assert set(body) == FIELDS
    assert body["detail"]
    assert body["remedy"].endswith(".")
    assert ("Allow" in headers) == (status == 405)


def test_as_many_headers_as_are_taken_are_taken_and_many_more_are_no_call(gate: Gate) -> None:
    few = [f"X-{i}: 1" for i in range(HEADERS_MAX - 4)]  # `call` has four of its own
    room = HEADER_BYTES_MAX - 200
    for headers in (few, [f"X-A: {'a' * room}"]):
        assert answered(gate, call(PUSH, b"{", *headers))[2]["error"] == "BODY_INVALID"
    for headers in ([f"X-{i}: 1" for i in range(3 * HEADERS_MAX)], [f"X-A: {'a' * 3 * HEADER_BYTES_MAX}"]):
        assert heard(gate, call(PUSH, b"{", *headers)).split()[1] == b"400"


def test_a_method_that_a_path_does_not_take_is_told_those_that_it_takes(gate: Gate) -> None:
    assert answered(gate, call("/v1/payments", b"", method="GET"))[1]["Allow"] == "POST"
    assert answered(gate, call("/healthz", b"", method="PUT"))[1]["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(("coding", "answers"), [("chunked", 2), ("identity, chunked", 1)])
def test_what_follows_a_body_whose_end_may_be_read_in_two_ways_is_no_call(gate: Gate, coding: str, answers: int) -> None:
    first = call("/v1/payments", CHUNKS, f"Transfer-Encoding: {coding}").replace(b"Connection: close\r\n", b"")
    assert heard(gate, first + call("/healthz", b"", method="GET")).count(b"HTTP/1.1 ") == answers


def test_a_chunked_body_is_taken(gate: Gate) -> None:
    assert answered(gate, call("/v1/payments", CHUNKS, "Transfer-Encoding: chunked"))[2]["error"] == "BODY_INVALID"


def test_remedies_of_different_faults_differ(gate: Gate) -> None:
    bodies = (b"{", b'{"amount":5}', b'{"amount_minor":"5"}', b'{"currency":"EUR"}', TWO_AMOUNTS)
    remedies = {answered(gate, call("/v1/payments", body))[2]["remedy"] for body in bodies}
    assert len(remedies) == len(bodies), remedies


def without_remedy(text: str) -> list[int]:
    """Lines of a source text that refuse and do not say what helps. A remedy may come with other fields, as `**fields`."""
    found = [node for name, node in calls(text) if name in ("Quarantine", "Retry", "Stop")]
    return [node.lineno for node in found if not {"remedy", None} & {keyword.arg for keyword in node.keywords}]


def test_no_refusal_of_the_gate_is_without_a_remedy() -> None:
    found = {name_of(path): without_remedy(path.read_text(encoding="utf-8")) for path in sources("assay/app/gate")}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert without_remedy("\nraise Retry(reason, 'what', where='$')\nRetry(reason, 'what', remedy='this')") == [2]


PLACED = {"event_id": "a/b ü", "admission": "ADMIT", "reason_codes": [], "receipt_id": "1", "event_class": "traffic"}


@pytest.mark.parametrize(
    ("event_id", "path"),
    [
        ("a/b ü", "/v1/decisions/a%2Fb%20%C3%BC"),
        (".", "/v1/decisions?event_id=."),
        ("..", "/v1/decisions?event_id=.."),
        ("...", "/v1/decisions/..."),
    ],
)
def test_a_payment_is_told_where_its_decision_is_at_the_address_it_was_posted_to(event_id: str, path: str) -> None:
    response = single(Answer(Counter(), [{**PLACED, "event_id": event_id}]), POSTED)
    assert response.headers["Location"] == f"http://gate:1{path}"


@pytest.mark.parametrize(("reached", "host"), [(("10.0.0.7", 8765), "10.0.0.7:8765"), (("::1", 8765, 0, 0), "[::1]:8765")])
@pytest.mark.parametrize("headers", [{}, {"Host": ""}])
def test_somebody_who_names_no_host_is_told_the_address_and_the_port_that_he_reached(
    reached: tuple[Any, ...], host: str, headers: dict[str, str]
) -> None:
    posted = make_mocked_request("POST", "/v1/payments", headers=headers, transport=asyncio.Transport({"sockname": reached}))
    assert single(Answer(Counter(), [PLACED]), posted).headers["Location"] == f"http://{host}/v1/decisions/a%2Fb%20%C3%BC"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (PLACED, 202),
        ({**PLACED, "event_class": "label"}, 201),
        ({**PLACED, "event_class": "context"}, 201),
        ({**PLACED, "admission": "DUPLICATE"}, 200),
        ({"event_id": None, "admission": "QUARANTINE", "reason_codes": ["SCHEMA_FAIL"]}, 422),
    ],
)
def test_an_item_by_itself_has_the_status_of_its_end(outcome: dict[str, Any], status: int) -> None:
    response = single(Answer(Counter(), [outcome]), POSTED)
    assert response.status == status
    placed = "http://gate:1/v1/decisions/a%2Fb%20%C3%BC" if outcome.get("event_class") == "traffic" else None
    assert response.headers.get("Location") == placed
    assert isinstance(response.body, bytes)
    assert json.loads(response.body).get("decision_url") == placed


def test_an_item_that_has_to_be_sent_again_is_told_so() -> None:
    retry = Retry(Reason.PUBLISH_AMBIGUOUS, "what")
    response = single(Answer(Counter(), [{"event_id": "e-1", "admission": "RETRY"}], retry), POSTED)
    assert (response.status, response.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("coding", "pack"), [("", bytes), ("identity", bytes), ("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_is_unpacked(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert unpacked(pack(b'{"a": 1}'), coding, 8) == b'{"a": 1}'


def test_a_body_that_is_too_long_when_it_is_unpacked_is_refused_before_it_is_unpacked_whole() -> None:
    with pytest.raises(Quarantine) as refused:
        unpacked(gzip.compress(b" " * 9), "gzip", 8)
    assert refused.value.reason is Reason.BODY_OVER_LIMIT


def test_somebody_who_asks_too_early_for_a_decision_is_told_when_to_ask_again() -> None:
    pending = refused(_pending("e-1"), POSTED)
    assert (pending.status, pending.headers["Retry-After"]) == (404, "1")


def test_somebody_who_waits_for_it_is_asked_for_the_body(gate: Gate) -> None:
    assert heard(gate, call("/v1/payments", b"{", "Expect: 100-continue")).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")
