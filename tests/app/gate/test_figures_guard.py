"""The gate's figures follow the rule of the worker's web view: this machine by address, others by key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from gate_process import KEY, run_in

from assay.app.gate.process import build
from assay.app.run.directory import Run

HERE, BEYOND = "127.0.0.1", "0.0.0.0"  # noqa: S104 - what a container binds to


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)


def answered(run: Run, bind: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and body of a GET to a gate that was told to listen on `bind`."""
    gate = build(run, bind=bind)

    async def ask() -> tuple[int, str]:
        async with TestClient(TestServer(gate.server.application())) as client:
            answer = await client.get(path, headers=headers)
            return answer.status, await answer.text()

    try:
        return asyncio.run(ask())
    finally:
        for log in gate.reach.logs:
            log.close()


@pytest.mark.parametrize(
    ("bind", "path", "headers", "status", "told"),
    [
        (HERE, "/metrics", {}, 200, "assay_gate_red"),
        (HERE, "/metrics", {"X-IG-Api-Key": "wrong"}, 401, '"UNAUTHORISED"'),
        pytest.param(HERE, "/metrics", {"Host": "evil.example"}, 421, '"HOST_UNKNOWN"', id="a page that gave its own name this address"),
        (BEYOND, "/metrics", {}, 401, '"UNAUTHORISED"'),
        (BEYOND, "/metrics", {"X-IG-Api-Key": KEY}, 200, "assay_gate_red"),
        (BEYOND, "/metrics", {"Authorization": f"Bearer {KEY}", "Host": "gate.internal"}, 200, "assay_gate_red"),
        (BEYOND, "/healthz", {"Host": "gate.internal"}, 200, "AMBER"),
        (BEYOND, "/openapi.json", {}, 200, "openapi"),
    ],
)
def test_figures_are_given_out_on_this_machine_and_beyond_it_for_a_key(
    run: Run, bind: str, path: str, headers: dict[str, str], status: int, told: str
) -> None:
    found, text = answered(run, bind, path, headers)
    assert (found, told in text) == (status, True), text
