"""How the answer to a call with items reads: one item has a status and headers of its own, an array has counts and results."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from assay.agents.faust_shell.web_refusals import told
from assay.app.gate.answers import again, json_answer
from assay.app.gate.calls import Answer, ItemAnswer
from assay.app.gate.decisions import DOTS
from assay.contracts.event_classes import TRAFFIC

#: the field of an admitted payment's answer that says where its decision can be asked for
DECISION_URL: Final = "decision_url"


def single(answer: Answer, request: web.Request) -> web.Response:
    """An item by itself has a status of its own, and the place of its decision in a header too."""
    outcome = _with_place(answer.results[0], _here(request))
    if answer.retry is not None:
        return json_answer(503, outcome, again(retryable=True))
    headers = {"Location": outcome[DECISION_URL]} if DECISION_URL in outcome else {}
    created = 202 if outcome.get("event_class") == TRAFFIC else 201  # a decision is still to come, and of nothing else
    return json_answer({"ADMIT": created, "DUPLICATE": 200}.get(outcome["admission"], 422), outcome, headers)


def many(answer: Answer, request: web.Request) -> web.Response:
    """The counts of a call, and what its items were told."""
    here = _here(request)
    body: dict[str, Any] = {"counts": answer.counts, "results": [_with_place(outcome, here) for outcome in answer.results]}
    if answer.retry is None:
        return json_answer(200, body)
    return json_answer(503, {**told(answer.retry, request), **body}, again(retryable=True))


def _with_place(outcome: ItemAnswer, here: str) -> ItemAnswer:
    """An admitted payment is told where its decision can be asked for: here, at the address that its poster knows."""
    if outcome.get("event_class") != TRAFFIC:
        return outcome
    named = quote(outcome["event_id"], safe="")
    path = f"/v1/decisions?event_id={named}" if named in DOTS else f"/v1/decisions/{named}"
    return {**outcome, DECISION_URL: here + path}


def _here(request: web.Request) -> str:
    """Host and port as the caller names them; where it names none, as HTTP/1.0 may, those that it reached."""
    named = request.headers.get("Host")
    if not named and request.transport is not None:
        address, port = request.transport.get_extra_info("sockname")[:2]
        named = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"{request.scheme}://{named or request.host}"
