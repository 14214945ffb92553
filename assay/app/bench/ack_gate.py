"""A gate that only acknowledges: it counts events and says that it took them. It prints its port, and ends with its standard input."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from assay.app.screen import say_json
from assay.contracts.limits import BODY_BYTES_MAX

TAKEN = "/taken"


async def serve() -> None:
    """Answer until standard input ends."""
    taken = {"events": 0, "calls": 0, "marks": 0}

    async def ingest(request: web.Request) -> web.Response:
        body = await request.read()
        taken["events"] += body.count(b'{"event_id":')
        taken["calls"] += 1
        return web.Response(body=b'{"counts":{},"results":[]}', content_type="application/json")

    async def mark(request: web.Request) -> web.Response:
        await request.read()
        taken["marks"] += 1
        return web.Response(body=b"{}", content_type="application/json")

    async def told(_: web.Request) -> web.Response:
        return web.json_response(taken)

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_routes([web.post("/v1/ingest/batch", ingest), web.post("/v1/ingest/marks", mark), web.get(TAKEN, told)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say_json({"port": runner.addresses[0][1]}, indent=None)
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
