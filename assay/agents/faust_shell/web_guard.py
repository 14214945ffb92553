"""Who may read the worker's web view, and the one shape of its refusals.

A browser on this machine runs pages of others. Such a page can reach a loopback address under a name of its own (DNS rebinding), so a
call without a key must name the worker by address. Beyond this machine a key is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeAlias

from aiohttp import web
from yarl import URL

from assay.contracts.api_key import KEY_HEADER, key_of
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.reasons import Reason

#: the one page that needs no key anywhere: it holds lanes and offsets, no payment
OPEN: Final = "/healthz"
STATUS: Final = {
    Reason.UNAUTHORISED: 401,
    Reason.PATH_UNKNOWN: 404,
    Reason.ROW_NOT_FOUND: 404,
    Reason.LANE_NOT_ACTIVE: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.HOST_UNKNOWN: 421,
}
#: the fields of a refusal, as the gate has them
SHAPE: Final = ("error", "detail", "where", "remedy")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger("assay.web")


class Asked(NamedTuple):
    """What the guard looks at: path, host (empty for none, its port left out), and the key, empty for none."""

    path: str
    host: str
    key: bytes


def check(asked: Asked, bind: str, accepts: Callable[[bytes], bool]) -> None:
    """Let a call pass. Raises Quarantine(UNAUTHORISED, HOST_UNKNOWN)."""
    if asked.key:
        if not accepts(asked.key):
            raise Quarantine(Reason.UNAUTHORISED, "the key is none of the run's", where=KEY_HEADER, remedy=_KEY_REMEDY)
        return
    if asked.host and not _is_address(asked.host) and asked.host not in ("localhost", bind):
        raise Quarantine(
            Reason.HOST_UNKNOWN,
            f"this worker is not {asked.host!r}",
            where="Host",
            remedy="Call it by its address or as localhost, or send a key of the run.",
        )
    if asked.path != OPEN and not is_loopback(bind):
        what = f"the web view listens on {bind}, beyond this machine: it asks for a key"
        raise Quarantine(Reason.UNAUTHORISED, what, where=KEY_HEADER, remedy=_KEY_REMEDY)


_KEY_REMEDY = f"Send {KEY_HEADER}, or Authorization: Bearer, with the key that `assay key show` prints."


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach a listener there."""
    return bind == "localhost" or (_is_address(bind) and ip_address(bind).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def guard(bind: Callable[[], str], accepts: Callable[[bytes], bool]) -> Any:
    """The middleware of the web view. `bind` gives the address it listens on, `accepts` says whether a key is valid."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers: Mapping[str, str] = {}
        try:
            check(Asked(request.path, _host_of(request), key_of(request.headers)), bind(), accepts)
            return await handler(request)
        except AssayError as error:
            refusal = error
        except web.HTTPException as error:
            refusal, headers = _as_ours(error, request)
        except Exception:
            log.exception("a call to %s failed in a way that was not foreseen", request.path)
            fields = "INTERNAL", "the worker failed in a way that was not foreseen", _place(request), "See the worker's log."
            return _told(500, fields, {})
        status = STATUS.get(refusal.reason, 503 if isinstance(refusal, Retry) else 500)
        return _told(status, (refusal.reason.value, refusal.what, refusal.where or _place(request), refusal.remedy), headers)

    return answer


def _place(request: web.Request) -> str:
    return f"{request.method} {request.path}"


def _told(status: int, fields: tuple[str, str, str, str], headers: Mapping[str, str]) -> web.Response:
    return web.json_response(dict(zip(SHAPE, fields, strict=True)), status=status, headers=dict(headers))


def _host_of(request: web.Request) -> str:
    """The host of a call, without its port; a host that is none is kept, and refused as any other name."""
    given = request.headers.get("Host", "")
    try:
        return URL(f"http://{given}").host or given
    except ValueError:
        return given


def _as_ours(error: web.HTTPException, request: web.Request) -> tuple[Quarantine, Mapping[str, str]]:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        what = f"{request.path} does not take {request.method}"
        return Quarantine(Reason.METHOD_NOT_ALLOWED, what, remedy=f"It takes {allowed}."), {"Allow": allowed}
    remedy = "Pages are /healthz, /metrics, /table/ and /table/<name>/<key>."
    return Quarantine(Reason.PATH_UNKNOWN, f"there is nothing at {request.path}", remedy=remedy), {}
