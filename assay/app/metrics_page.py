"""`/metrics` of a command that listens on nothing else: a page on this machine, for as long as the command works."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry

from assay.agents.faust_shell.web_guard import LOOPBACK, STATUS, asked_of, check
from assay.agents.faust_shell.web_refusals import Refusing, refused, refusing, told
from assay.app.metrics import CONTENT_TYPE, exposition
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

log = logging.getLogger("assay.metrics")


@asynccontextmanager
async def metrics_served(registry: CollectorRegistry, port: int | None, say: Callable[[str], object]) -> AsyncIterator[None]:
    """Answer on a port of this machine while the block works: 0 takes a free one, None answers nowhere. `say` is given the address.

    Raises Stop(PORT_UNAVAILABLE).
    """
    if port is None:
        yield
        return
    listening = web.AppRunner(_page(registry), access_log=None)
    await listening.setup()
    try:
        try:
            await web.TCPSite(listening, LOOPBACK, port).start()
        except OSError as error:
            what, remedy = f"nothing can listen on port {port}: {error.strerror}", "Choose another port, or 0 for a free one."
            raise Stop(Reason.PORT_UNAVAILABLE, what, where="--metrics-port", remedy=remedy) from None
        say(f"metrics: http://{LOOPBACK}:{listening.addresses[0][1]}/metrics")
        yield
    finally:
        await listening.cleanup()


def _page(registry: CollectorRegistry) -> web.Application:
    """A page of another site that reaches this machine under a name of its own is refused, as at the worker's web view."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposition(registry), headers={"Content-Type": CONTENT_TYPE})

    def before(request: web.Request) -> None:
        check(asked_of(request), LOOPBACK, lambda _: False)

    app = web.Application(middlewares=[refusing(Refusing("page of metrics", "The page is /metrics.", log, _refused, before))])
    app.router.add_get("/metrics", metrics)
    return app


def _refused(error: AssayError, request: web.Request, headers: Mapping[str, str]) -> web.Response:
    return refused(STATUS.get(error.reason, 500), told(error, request), headers)
