"""Who may read the worker's web view and the gate's figures, and with which key.

A browser on this machine runs pages of others. Such a page can reach a loopback address under a name of its own (DNS rebinding), so a
call without a key must name the server by address. Beyond this machine a key is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from aiohttp import web
from yarl import URL

from assay.agents.faust_shell.web_refusals import Refusing, refused, refusing, told
from assay.contracts.api_key import KEY_HEADER, key_of
from assay.contracts.errors import AssayError, Quarantine, Retry
from assay.contracts.reasons import Reason

#: the one page that needs no key anywhere: it holds lanes and offsets, no payment
OPEN: Final = "/healthz"
LOOPBACK: Final = "127.0.0.1"
STATUS: Final = {
    Reason.UNAUTHORISED: 401,
    Reason.PATH_UNKNOWN: 404,
    Reason.ROW_NOT_FOUND: 404,
    Reason.LANE_NOT_ACTIVE: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.HOST_UNKNOWN: 421,
    Reason.HTTP_UNSUPPORTED: 501,
}
_PATHS: Final = "Pages are /healthz, /metrics, /table/ and /table/<name>/<key>."
log = logging.getLogger("assay.web")


class Asked(NamedTuple):
    """What the guard looks at: path, host (empty for none, its port left out), and the key, empty for none."""

    path: str
    host: str
    key: bytes


def check_key(given: bytes, accepts: Callable[[bytes], bool]) -> None:
    """Let somebody with a key of the run pass. Raises Quarantine(UNAUTHORISED)."""
    if not accepts(given):
        raise _unauthorised("the key is none of the run's" if given else "the call has no key")


def check(asked: Asked, bind: str, accepts: Callable[[bytes], bool]) -> None:
    """Let a call pass to a server that listens on `bind`. Raises Quarantine(UNAUTHORISED, HOST_UNKNOWN)."""
    if asked.key:
        check_key(asked.key, accepts)
        return
    if asked.host and not _is_address(asked.host) and asked.host not in ("localhost", bind):
        raise Quarantine(
            Reason.HOST_UNKNOWN,
            f"this server is not {asked.host!r}",
            where="Host",
            remedy="Call it by its address or as localhost, or send a key of the run.",
        )
    if asked.path != OPEN and not is_loopback(bind):
        raise _unauthorised(f"this server listens on {bind}, beyond this machine: it asks for a key")


def _unauthorised(what: str) -> Quarantine:
    remedy = f"Send {KEY_HEADER}, or Authorization: Bearer, with the key that `assay key show --run DIR` prints."
    return Quarantine(Reason.UNAUTHORISED, what, where=KEY_HEADER, remedy=remedy)


def asked_of(request: web.Request) -> Asked:
    """What a call shows to the guard."""
    return Asked(request.path, _host_of(request), key_of(request.headers))


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
    return refusing(Refusing("worker", _PATHS, log, _refused, before=lambda request: check(asked_of(request), bind(), accepts)))


def _refused(error: AssayError, request: web.Request, headers: Mapping[str, str]) -> web.Response:
    return refused(STATUS.get(error.reason, 503 if isinstance(error, Retry) else 500), told(error, request), headers)


def _host_of(request: web.Request) -> str:
    """The host of a call, without its port; a host that is none is kept, and refused as any other name."""
    given = request.headers.get("Host", "")
    try:
        return URL(f"http://{given}").host or given
    except ValueError:
        return given
