"""The Scenario Runner over HTTP: the functions of the commands, and the same answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from assay.app.metrics import CONTENT_TYPE, RUNNER, exposition
from assay.app.runner.access import Access
from assay.app.runner.answers import show
from assay.app.runner.reemit import ReemitPolicy, reemit
from assay.app.runner.request import RunRequest, read_request
from assay.app.runner.runner import Runner
from assay.app.runner.states import FINAL
from assay.contracts.api_key import key_of
from assay.contracts.errors import AssayError, Quarantine, Retry, refusal_fields
from assay.contracts.pins import HEX32
from assay.contracts.reasons import Reason

ACTOR_HEADER: Final = "X-SR-Actor"
BODY_BYTES_MAX: Final = 1 << 20
_STATUS: Final = {
    Reason.UNAUTHORISED: 401,
    Reason.ACTOR_NOT_ALLOWED: 403,
    Reason.RUN_MISSING: 404,
    Reason.REEMIT_RATE_LIMIT: 429,
    Reason.REEMIT_BUSY: 409,
}
_OVER: Final = frozenset(map(str, FINAL))
log = logging.getLogger("assay.sr")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RunnerServer:
    """Routes of one runner. Work is done in threads: each call waits for its own answer, and for no evidence.

    A run whose evidence is missing is looked at again by `watch` until its deadline; nobody has to ask again.
    """

    def __init__(self, runner: Runner, access: Access, policy: ReemitPolicy | None = None) -> None:
        self._runner, self._access, self._policy = runner, access, policy
        self._waiting: dict[str, RunRequest] = {}
        self.app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_refusals])
        self.app.router.add_get("/metrics", self._metrics)
        self.app.router.add_post("/v1/runs", self._submit)
        self.app.router.add_get("/v1/runs/{run_id}", self._show)
        self.app.router.add_post("/v1/runs/{run_id}/reemit", self._reemit)
        self.app.router.add_post("/v1/runs/{run_id}/supersede", self._supersede)

    async def _submit(self, call: web.Request) -> web.Response:
        return await self._asked(call, "submit", await _document(call))

    async def _supersede(self, call: web.Request) -> web.Response:
        return await self._asked(call, "supersede", {**await _document(call), "supersedes_run_id": _run_id(call)})

    async def _asked(self, call: web.Request, action: str, document: Mapping[str, Any]) -> web.Response:
        """202 while evidence is missing or another process works on the run, else 200."""
        actor = _actor(call)

        def work() -> Any:
            request = read_request({"invoker": actor, **document} if actor else document)
            self._runner.telemetry.say("RUN_REQUEST_RECEIVED", request.run_id, {"kind": action})
            self._refuse(call, action, request.run_id, actor)
            answer = self._runner.submit(request, wait=False)
            if answer.state not in _OVER:
                self._waiting[request.run_id] = request
            return answer

        answer = await self._worked(work, document)
        return web.json_response(answer.as_json(), status=200 if answer.state in _OVER else 202)

    async def watch(self, stopped: asyncio.Event) -> None:
        """Look again at runs that are not over, until `stopped`. What a store or a database refuses is tried again."""
        while not stopped.is_set():
            for run_id, request in list(self._waiting.items()):
                try:
                    answer = await asyncio.to_thread(self._runner.submit, request, wait=False)
                except AssayError as refusal:
                    log.warning("run %s: %s", run_id, refusal)
                    continue
                if answer.state in _OVER:
                    self._waiting.pop(run_id, None)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), self._runner.poll_s)

    async def _show(self, call: web.Request) -> web.Response:
        run_id = _run_id(call)
        self._refuse_without_key(call)
        return web.json_response((await asyncio.to_thread(show, self._runner.store, run_id)).as_json())

    async def _reemit(self, call: web.Request) -> web.Response:
        run_id, actor, body = _run_id(call), _actor(call), await _document(call)
        document = {**({"requested_by": actor} if actor else {}), **body, "run_id": run_id}

        def work() -> Any:
            self._runner.telemetry.say("RUN_REQUEST_RECEIVED", run_id, {"kind": "reemit"})
            self._refuse(call, "reemit", run_id, actor)
            return reemit(self._runner, document, self._policy)

        return web.json_response((await self._worked(work, document)).as_json())

    async def _worked(self, work: Callable[[], Any], document: Mapping[str, Any]) -> Any:
        """The answer to a request; operators are told of one that is refused."""
        try:
            return await asyncio.to_thread(work)
        except AssayError as refusal:
            told = {"reason_code": refusal.reason.value, "why": refusal.what}
            self._runner.telemetry.say("RUN_REQUEST_REJECTED", str(document.get("run_id", "")), told)
            raise

    async def _metrics(self, call: web.Request) -> web.Response:
        """Prometheus, with a key of the run."""
        self._refuse_without_key(call)
        return web.Response(body=exposition(RUNNER), headers={"Content-Type": CONTENT_TYPE})

    def _refuse_without_key(self, call: web.Request) -> None:
        if not self._access.accepts_key(key_of(call.headers)):
            raise Quarantine(Reason.UNAUTHORISED, "the call has no key of the run", where=call.path, remedy="Send a key of the run.")

    def _refuse(self, call: web.Request, action: str, run_id: str, actor: str) -> None:
        self._access.refuse(self._runner.store, action, run_id, key_of(call.headers), actor, self._runner.clock())


@web.middleware
async def _refusals(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AssayError as refusal:
        kind = 503 if isinstance(refusal, Retry) else 400 if isinstance(refusal, Quarantine) else 409
        fields = refusal_fields(refusal.reason.value, refusal.what, refusal.where, refusal.remedy)
        return web.json_response(fields, status=_STATUS.get(refusal.reason, kind))


async def _document(call: web.Request) -> dict[str, Any]:
    try:
        value = json.loads(await call.read())
    except (ValueError, RecursionError) as error:
        raise Quarantine(Reason.SCHEMA_FAIL, f"the body is not JSON: {error}", where="body", remedy="Send JSON.") from None
    if not isinstance(value, dict):
        raise Quarantine(Reason.SCHEMA_FAIL, "the body is not a JSON object", where="body", remedy="Send an object.")
    return value


def _actor(call: web.Request) -> str:
    return call.headers.get(ACTOR_HEADER, "").strip()


def _run_id(call: web.Request) -> str:
    """The run of a path: nothing else becomes a key of the store."""
    run_id = call.match_info["run_id"]
    if HEX32.fullmatch(run_id) is None:
        raise Quarantine(Reason.RUN_MISSING, "the path names no run", where="run_id", remedy="A run's id has 32 hex digits.")
    return run_id


async def serve(server: RunnerServer, host: str, port: int, stopped: asyncio.Event) -> None:
    """Listen, and look again at what waits, until `stopped`. Raises OSError for a port that is taken."""
    listening = web.AppRunner(server.app, access_log=None)
    await listening.setup()
    try:
        await web.TCPSite(listening, host, port).start()
        await server.watch(stopped)
    finally:
        await listening.cleanup()
