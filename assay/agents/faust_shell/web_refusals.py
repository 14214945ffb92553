"""How an HTTP server of ours refuses a call: one shape at the gate and at the worker's web view, aiohttp's own refusals included."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from aiohttp import web

from assay.contracts.errors import AssayError, Quarantine, refusal_fields
from assay.contracts.reasons import Reason

#: the code of a fault of the server itself; every other code is a `Reason`
INTERNAL: Final = "INTERNAL"
_FAILED: Final = 500
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refusing(NamedTuple):
    """What one server says: its name for people, where calls may go, its log, and how a refusal reads there.

    `answer` is given the refusal, the call and the headers that this refusal needs. `before` may refuse a call, `after` is told of its end.
    """

    name: str
    paths: str
    log: logging.Logger
    answer: Callable[[AssayError, web.Request, Mapping[str, str]], web.Response]
    before: Callable[[web.Request], None] = lambda _: None
    after: Callable[[web.Request], None] = lambda _: None


def refusing(server: Refusing) -> Any:
    """The middleware that answers every refusal in the one shape."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: Mapping[str, str] = {}
        try:
            server.before(request)
            return await handler(request)
        except AssayError as error:
            refusal = error
        except web.HTTPException as error:
            refusal, headers = _as_ours(error, request, server.paths)
        except Exception:
            server.log.exception("a call to %s failed in a way that was not foreseen", request.path)
            what, remedy = f"the {server.name} failed in a way that was not foreseen", f"See the {server.name}'s log."
            return refused(_FAILED, refusal_fields(INTERNAL, what, place_of(request), remedy), {})
        finally:
            server.after(request)
        return server.answer(refusal, request, headers)

    return middleware


def refused(status: int, fields: Mapping[str, str], headers: Mapping[str, str]) -> web.Response:
    """The answer to a call that is refused as a whole."""
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return web.Response(status=status, body=body, content_type="application/json", headers=dict(headers))


def told(error: AssayError, request: web.Request) -> dict[str, str]:
    """The fields of a refusal. A fault without a place of its own has that of the call."""
    return refusal_fields(error.reason.value, error.what, error.where or place_of(request), error.remedy)


def place_of(request: web.Request) -> str:
    """The call itself, as the place of a fault."""
    return f"{request.method} {request.path}"


def _as_ours(error: web.HTTPException, request: web.Request, paths: str) -> tuple[Quarantine, Mapping[str, str]]:
    """A refusal of aiohttp in our words, and the headers it needs."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        what = f"{request.path} does not take {request.method}"
        return Quarantine(Reason.METHOD_NOT_ALLOWED, what, remedy=f"It takes {allowed}."), {"Allow": allowed}
    if isinstance(error, web.HTTPNotFound):
        return Quarantine(Reason.PATH_UNKNOWN, f"there is nothing at {request.path}", remedy=paths), {}
    return Quarantine(Reason.HTTP_UNSUPPORTED, error.reason, remedy="Send a plain HTTP/1.1 call."), {}
