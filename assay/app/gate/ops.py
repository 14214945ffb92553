"""Paths for who operates a gate: whether it is up, how it is, and what it knows of an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from assay.agents.faust_shell.web_refusals import Handler
from assay.app.gate.answers import json_answer
from assay.app.gate.health import GateState, Health
from assay.app.gate.lookup import Lookup, asked_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

#: of answers to posts while the gate is AMBER
HEALTH_HEADER: Final = "X-IG-Health"
#: paths of the prior platform that nothing answers here → what to do instead
RETIRED: Final = {"/v1/ingest/pull": "The gate pulls nothing: `assay stream --run DIR` streams a world to it."}

NO_LOOKUP: Final = "Ask the gate of a run: `assay gate serve`."


class Ops:
    """Answers these paths. `check` lets a caller pass or raises Quarantine(UNAUTHORISED)."""

    def __init__(self, health: Health, lookup: Lookup | None, check: Callable[[web.Request], object]) -> None:
        self._health, self._lookup, self._check = health, lookup, check

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """(method, path) → what answers it."""
        return {
            ("GET", "/livez"): self.livez,
            ("GET", "/healthz"): self.healthz,
            ("GET", "/v1/ops/health"): self.health,
            ("GET", "/v1/ops/lookup"): self.lookup,
        }

    def close(self) -> None:
        """Let go of what the look-ups hold."""
        if self._lookup is not None:
            self._lookup.close()

    async def livez(self, request: web.Request) -> web.Response:
        """The process is up and answers; nothing else is said."""
        return json_answer(200, {"status": "up"})

    async def healthz(self, request: web.Request) -> web.Response:
        """State and reasons; 503 while RED."""
        return json_answer(503 if self._health.state is GateState.RED else 200, self._state())

    async def health(self, request: web.Request) -> web.Response:
        """The same for somebody who may call; 200 in any state."""
        self._check(request)
        return json_answer(200, self._state())

    async def lookup(self, request: web.Request) -> web.Response:
        """What index and receipts know of one id."""
        self._check(request)
        asked = asked_of(request.query.items())
        if self._lookup is None:
            raise Quarantine(Reason.RECEIPT_NOT_FOUND, "this gate looks nothing up", where=asked.name, remedy=NO_LOOKUP)
        return json_answer(200, await self._lookup.of(asked))

    def _state(self) -> dict[str, object]:
        return {"state": self._health.state, "reasons": self._health.reasons()}


def refuse_retired(request: web.Request) -> None:
    """Refuse a path of the prior platform by what is there instead. Raises Quarantine(PATH_UNKNOWN)."""
    if (remedy := RETIRED.get(request.path)) is not None:
        raise Quarantine(Reason.PATH_UNKNOWN, f"there is nothing at {request.path}", remedy=remedy)
