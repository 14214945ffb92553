"""How an answer of the gate reads: its status, and the headers of a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import HttpVersion10, HttpVersion11, web

from assay.agents.faust_shell import web_refusals
from assay.agents.faust_shell.web_refusals import told
from assay.app.gate.card_numbers import masked
from assay.app.gate.rates import RateLimited
from assay.app.metrics import GATE_REFUSED_CALLS
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.limits import HEADER_BYTES_MAX, HEADERS_MAX
from assay.contracts.reasons import Reason

#: `: ` behind a name, and the end of the line
_AROUND_HEADER: Final = 4
RETRY_AFTER_S: Final = 1
STATUS: Final = {
    Reason.UNAUTHORISED: 401,
    Reason.PATH_UNKNOWN: 404,
    Reason.DECISION_NOT_FOUND: 404,
    Reason.DECISION_PENDING: 404,
    Reason.EVENT_QUARANTINED: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.BODY_TOO_SLOW: 408,
    Reason.MARK_BACKWARDS: 409,
    Reason.RUN_NOT_READY: 409,
    Reason.ORDERING_NOT_ARRIVAL: 409,
    Reason.BODY_OVER_LIMIT: 413,
    Reason.CODING_UNSUPPORTED: 415,
    Reason.MEDIA_TYPE_UNSUPPORTED: 415,
    Reason.EXPECTATION_UNSUPPORTED: 417,
    Reason.HOST_UNKNOWN: 421,
    Reason.RECEIPT_NOT_FOUND: 404,
    Reason.GATE_OVERLOADED: 429,
    Reason.RATE_LIMITED: 429,
    Reason.HEADERS_OVER_LIMIT: 431,
    Reason.HTTP_UNSUPPORTED: 501,
}
#: what the same call may meet no more when it is sent again
UNAVAILABLE: Final = frozenset(
    (
        Reason.BUS_UNAVAILABLE,
        Reason.INDEX_UNAVAILABLE,
        Reason.RECEIPT_NOT_DURABLE,
        Reason.STORE_FULL,
        Reason.STORE_SILENT,
        Reason.PUBLISH_AMBIGUOUS,
        Reason.ADMISSION_IN_FLIGHT,
        Reason.ADMISSION_AMBIGUOUS,
        Reason.GATE_DRAINING,
        Reason.WORKER_UNAVAILABLE,
    )
)
#: where a call may go, for whoever has missed it
PATHS: Final = (
    "/v1/payments",
    "/v1/decide",
    "/v1/labels",
    "/v1/decisions/EVENT_ID",
    "/v1/ingest/push",
    "/v1/ingest/batch",
    "/v1/ingest/marks",
    "/v1/ops/health",
    "/v1/ops/lookup",
    "/livez",
    "/healthz",
    "/metrics",
    "/docs",
    "/openapi.json",
)


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response that holds JSON."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


def status_of(reason: Reason) -> int:
    """The status of a call that is refused for this reason."""
    return STATUS.get(reason, 503 if reason in UNAVAILABLE else 400)


def refused(error: AssayError, request: web.Request, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer to a call that is refused as a whole.

    What is left of a body that is not read would be taken for the next call: the connection is closed then.
    """
    sent_again = {"Retry-After": str(error.after_s)} if isinstance(error, RateLimited) else again(retryable=isinstance(error, Retry))
    fields = {name: masked(text) for name, text in told(error, request).items()}
    answer = web_refusals.refused(status_of(error.reason), fields, {**(headers or {}), **sent_again})
    if error.reason in (Reason.BODY_TOO_SLOW, Reason.HTTP_UNSUPPORTED, Reason.EXPECTATION_UNSUPPORTED, Reason.HEADERS_OVER_LIMIT):
        answer.force_close()
    return answer


def again(*, retryable: bool) -> dict[str, str]:
    """The header that says when to send a call again, if that helps."""
    return {"Retry-After": str(RETRY_AFTER_S)} if retryable else {}


async def answer_expectation(request: web.Request) -> web.StreamResponse | None:
    """Ask for the body of somebody who waits for that; refuse any other expectation."""
    expected = request.headers.get("Expect", "")
    if request.version == HttpVersion11 and expected.lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
        return None
    remedy = "Leave the header out, or send 100-continue in HTTP/1.1."
    refusal = Quarantine(Reason.EXPECTATION_UNSUPPORTED, f"nothing here meets the expectation {expected!r}", where="Expect", remedy=remedy)
    GATE_REFUSED_CALLS.add({refusal.reason.value: 1})
    return refused(refusal, request)


def check_http(request: web.Request) -> None:
    """Refuse what a proxy in between may read in another way: where a body ends, or that the answer is over. And too many headers.

    Raises Quarantine(HTTP_UNSUPPORTED | HEADERS_OVER_LIMIT).
    """
    size = sum(len(name) + len(value) + _AROUND_HEADER for name, value in request.raw_headers)
    if len(request.raw_headers) > HEADERS_MAX or size > HEADER_BYTES_MAX:
        what = f"the call has {len(request.raw_headers)} headers of {size} bytes, {HEADERS_MAX} of {HEADER_BYTES_MAX} are taken"
        raise Quarantine(Reason.HEADERS_OVER_LIMIT, what, where="headers", remedy="Leave out cookies and what a proxy adds.")
    if request.version < HttpVersion10:
        raise Quarantine(Reason.HTTP_UNSUPPORTED, "this is HTTP/0.9", remedy="Speak HTTP/1.1.")
    codings = request.headers.getall("Transfer-Encoding", [])
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        what = f"the body comes as {', '.join(codings)!r}"
        raise Quarantine(Reason.HTTP_UNSUPPORTED, what, where="Transfer-Encoding", remedy="Send Content-Length, or chunked alone.")
