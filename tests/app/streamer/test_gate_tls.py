"""A gate that speaks TLS is reached by a process that is told its authority, and by no other."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path

import pytest
from aiohttp import web
from certificates import LOOPBACK, Authority
from cryptography.x509.oid import NameOID

TESTS = Path(__file__).parents[2]
#: one call of the streamer's client; its context is made when aiohttp is imported, so a process of its own makes it
CALL = """
import asyncio, sys
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.retry import RetryPolicy
from assay.contracts.errors import Retry
sys.path.insert(0, sys.argv[2])
from small_runs import pins

async def call():
    client = GateClient(sys.argv[1], "key", pins(), RetryPolicy(attempts_min=1, budget_s=0.0), lambda: 0.0, asyncio.Event())
    try:
        print((await client.ingest(b"[]"))["counts"])
    except Retry as refusal:
        print(refusal)
    finally:
        await client.close()

asyncio.run(call())
"""


async def _called(authority: Authority, variables: dict[str, str]) -> str:
    """What one call prints, made under these variables to a gate of this authority."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"counts": {"ADMIT": 1}})

    application = web.Application()
    application.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.signed("gate", [(NameOID.COMMON_NAME, "gate")], [LOOPBACK]))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        environment = {**os.environ, **variables}
        command = sys.executable, "-c", CALL, url, str(TESTS)
        made = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
        return (await made.communicate())[0].decode()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("told", "printed"), [(True, "{'ADMIT': 1}"), (False, "GATE_RETRY_EXHAUSTED")])
def test_a_gate_of_an_own_authority_is_reached_by_who_is_told_of_it(tmp_path: Path, told: bool, printed: str) -> None:
    authority = Authority(tmp_path)
    found = asyncio.run(_called(authority, {"SSL_CERT_FILE": str(authority.file)} if told else {}))
    assert found.startswith(printed)
    assert ("certificate verify failed" in found) is not told
