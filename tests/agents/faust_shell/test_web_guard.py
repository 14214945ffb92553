"""The worker's web view answers this machine by address, others by key, and refuses in one shape."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from assay.agents.faust_shell.agents import Shell, build_app
from assay.agents.faust_shell.web_guard import Asked, check, is_loopback
from assay.contracts.errors import Quarantine

KEY = "the key"


def refused(asked: Asked, bind: str) -> str:
    """The code of the refusal, empty for none."""
    try:
        check(asked, bind, lambda given: given == KEY.encode())
    except Quarantine as error:
        return error.reason.value
    return ""


HERE, BEYOND = "127.0.0.1", "0.0.0.0"  # noqa: S104 - what a container binds to


@pytest.mark.parametrize(
    ("bind", "path", "host", "key", "code"),
    [
        (HERE, "/table/", "127.0.0.1", b"", ""),
        (HERE, "/table/", "localhost", b"", ""),
        (HERE, "/metrics", "::1", b"", ""),
        (HERE, "/metrics", "", b"", ""),
        pytest.param(HERE, "/table/", "evil.example", b"", "HOST_UNKNOWN", id="a page that gave its own name this address"),
        (HERE, "/healthz", "evil.example", b"", "HOST_UNKNOWN"),
        (HERE, "/table/", "127.0.0.1.evil.example", b"", "HOST_UNKNOWN"),
        pytest.param(HERE, "/table/", "worker.internal", KEY.encode(), "", id="who has the key is no page of others"),
        pytest.param(HERE, "/table/", "127.0.0.1", b"wrong", "UNAUTHORISED", id="a wrong key is wrong everywhere"),
        ("worker.internal", "/metrics", "worker.internal", KEY.encode(), ""),
        ("worker.internal", "/healthz", "worker.internal", b"", ""),
        ("worker.internal", "/metrics", "worker.internal", b"", "UNAUTHORISED"),
        (BEYOND, "/table/", "10.0.0.7", b"", "UNAUTHORISED"),
        (BEYOND, "/metrics", "127.0.0.1", b"", "UNAUTHORISED"),
        (BEYOND, "/metrics", "10.0.0.7", b"wrong", "UNAUTHORISED"),
        (BEYOND, "/metrics", "worker.internal", KEY.encode(), ""),
        pytest.param(BEYOND, "/healthz", "10.0.0.7", b"", "", id="a health check of a load balancer"),
        (BEYOND, "/healthz", "evil.example", b"", "HOST_UNKNOWN"),
    ],
)
def test_a_call_passes_by_its_key_or_from_this_machine_by_address(bind: str, path: str, host: str, key: bytes, code: str) -> None:
    assert refused(Asked(path, host, key), bind) == code


@pytest.mark.parametrize(
    ("bind", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        (BEYOND, False),
        ("::", False),
        ("", False),
        ("w", False),
    ],
)
def test_only_a_loopback_address_is_this_machine(bind: str, local: bool) -> None:
    assert is_loopback(bind) is local


def answers(directory: Path, bind: str, calls: list[tuple[str, str, Mapping[str, str]]]) -> list[tuple[int, Any]]:
    """(status, body) of each (method, path, headers) at the web view of an app without lanes."""

    async def ask() -> list[tuple[int, Any]]:
        shell = Shell("run", "one:9092", directory, web_bind=bind, accepts_key=lambda given: given == KEY.encode())
        app = build_app(shell, [], lambda _: {"/metrics": lambda: (b'"all"', "application/json"), "/broken": lambda: 1 / 0})  # type: ignore[dict-item,return-value]
        app.web.init_server()
        async with TestClient(TestServer(app.web.web_app)) as client:  # type: ignore[attr-defined]  # of Faust's aiohttp driver
            found = []
            for method, path, headers in calls:
                answer = await client.request(method, path, headers=headers)
                found.append((answer.status, await answer.json()))
            return found

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "headers",
    [
        {"X-IG-Api-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-IG-Api-Key": KEY, "Authorization": "Bearer of somebody else"},
    ],
)
def test_prometheus_may_send_the_key_as_a_header_or_as_a_bearer_token(tmp_path: Path, headers: dict[str, str]) -> None:
    assert answers(tmp_path, BEYOND, [("GET", "/metrics", headers)]) == [(200, "all")]


@pytest.mark.parametrize(
    ("bind", "call", "status", "code", "where"),
    [
        (BEYOND, ("GET", "/metrics", {}), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (BEYOND, ("GET", "/metrics", {"Authorization": "Basic dTpw"}), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (BEYOND, ("GET", "/nothing", {}), 401, "UNAUTHORISED", "X-IG-Api-Key"),
        (HERE, ("GET", "/metrics", {"Host": "evil.example:6066"}), 421, "HOST_UNKNOWN", "Host"),
        (HERE, ("GET", "/metrics", {"Host": "["}), 421, "HOST_UNKNOWN", "Host"),
        (HERE, ("GET", "/nothing", {}), 404, "PATH_UNKNOWN", "GET /nothing"),
        (HERE, ("GET", "/table/cases/", {}), 404, "PATH_UNKNOWN", "GET /table/cases/"),
        (HERE, ("POST", "/metrics", {}), 405, "METHOD_NOT_ALLOWED", "POST /metrics"),
        (HERE, ("GET", "/broken", {}), 500, "INTERNAL", "GET /broken"),
    ],
)
def test_every_refusal_has_the_shape_of_the_gates(
    tmp_path: Path, bind: str, call: tuple[str, str, Mapping[str, str]], status: int, code: str, where: str
) -> None:
    [(found, body)] = answers(tmp_path, bind, [call])
    assert (found, body["error"], body["where"]) == (status, code, where)
    assert list(body) == ["error", "detail", "where", "remedy"]
    assert all(body.values())
