"""How many connections the gate keeps, and which one has to go when there are too many.

Anybody can open a connection; a key is what tells a caller from a stranger. So strangers go first, the oldest first: who calls sends its
headers at once, who only holds connections does not.
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress
from typing import Any, Protocol

from aiohttp import web

from assay.app.metrics import GATE_CONNECTIONS, GATE_CONNECTIONS_CLOSED
from assay.contracts.limits import GATE_CONNECTIONS_MAX

#: files of the gate itself, and connections that are accepted in one turn of the loop, before the first of them is counted
FILES_RESERVED = 256
#: more than this is not asked of the system; macOS grants no more than the second
FILES_WANTED = (65_536, 10_240)
log = logging.getLogger("assay.gate")


class Transport(Protocol):
    """What can be hung up."""

    def abort(self) -> None:
        """Let go of the socket at once."""


class Connections:
    """Open connections by what is known of them. A connection is any hashable object. Not for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        # each in the order in which its connections came to it
        self._strangers: dict[object, Transport] = {}
        self._resting: dict[object, Transport] = {}
        self._working: dict[object, Transport] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._resting) + len(self._working)

    def made(self, connection: object, transport: Transport) -> None:
        """A connection was accepted. One is closed when there are too many: see `_surplus`."""
        self._strangers[connection] = transport
        if len(self) > self._most:
            surplus, kind = self._surplus()
            self._forget(surplus).abort()
            GATE_CONNECTIONS_CLOSED.add({kind: 1})
            log.warning("%d connections are open: one was closed for a new one (%s)", self._most, kind)
        GATE_CONNECTIONS.set(len(self))

    def known(self, connection: object) -> None:
        """A call with a valid key came in."""
        if connection in self:
            self._working[connection] = self._forget(connection)

    def rests(self, connection: object) -> None:
        """A call was answered."""
        if connection in self._working:
            self._resting[connection] = self._working.pop(connection)

    def lost(self, connection: object) -> None:
        """A connection is over, whoever ended it."""
        if connection in self:
            self._forget(connection)
        GATE_CONNECTIONS.set(len(self))

    def __contains__(self, connection: object) -> bool:
        return any(connection in kept for kept in (self._strangers, self._resting, self._working))

    def _surplus(self) -> tuple[object, str]:
        """The oldest stranger; without another stranger than the new one, the caller that has rested longest; else the new one."""
        oldest = next(iter(self._strangers))
        if len(self._strangers) > 1:
            return oldest, "stranger"
        return (next(iter(self._resting)), "resting") if self._resting else (oldest, "new")

    def _forget(self, connection: object) -> Transport:
        for kept in (self._strangers, self._resting, self._working):
            if connection in kept:
                return kept.pop(connection)
        raise KeyError(connection)


class CountedServer(web.Server):
    """aiohttp's server, with its connections counted."""

    def __init__(self, plain: web.Server, connections: Connections, **handler: Any) -> None:
        super().__init__(plain.request_handler, request_factory=plain.request_factory, **handler)
        self._counted = connections

    def connection_made(self, handler: Any, transport: Any) -> None:
        """Called by aiohttp."""
        super().connection_made(handler, transport)
        self._counted.made(handler, transport)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Called by aiohttp."""
        self._counted.lost(handler)
        super().connection_lost(handler, exc)


class CountedRunner(web.AppRunner):
    """aiohttp's runner, with a server that counts. `handler` are the arguments of aiohttp's `RequestHandler`."""

    __slots__ = ("_connections", "_handler")

    def __init__(self, app: web.Application, connections: Connections, **handler: Any) -> None:
        super().__init__(app)
        self._connections, self._handler = connections, handler

    async def _make_server(self) -> web.Server:
        return CountedServer(await super()._make_server(), self._connections, **self._handler)


def raise_file_limit() -> int:
    """Ask the system for as many open files as it grants; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in FILES_WANTED:
        granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and granted > soft:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
                return granted
    return soft if soft != resource.RLIM_INFINITY else FILES_WANTED[0]


def connections_for(files: int, wanted: int = GATE_CONNECTIONS_MAX) -> int:
    """How many connections fit into a limit of open files, at least one and at most `wanted`: the gate's own files keep their room."""
    return max(1, min(wanted, files - min(FILES_RESERVED, files // 2)))
