"""The runner over HTTP gives the answers of its functions; who may not ask is told so, and it is recorded."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from scenario_runs import runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.runner.access import Access
from assay.app.runner.answers import show
from assay.app.runner.event_kinds import KINDS
from assay.app.runner.record import Record
from assay.app.runner.reemit import ReemitPolicy
from assay.app.runner.request import read_request, request_of_run
from assay.app.runner.run_metrics import RunMetrics
from assay.app.runner.server import ACTOR_HEADER, RunnerServer, serve
from assay.app.runner.service import RunnerService
from assay.app.substrate.ports import free_port
from assay.app.telemetry import Telemetry
from assay.contracts.api_key import KEY_HEADER

KEY = {KEY_HEADER: "right", ACTOR_HEADER: "ann"}
ACCESS = Access(lambda key: key == b"right", frozenset({"ann"}), frozenset({"ann", "rob"}))
Call = Callable[..., Awaitable[tuple[int, Any]]]


class Served:
    """A runner of a small world, and calls to its server."""

    def __init__(self, folder: Path) -> None:
        self.world = world = small_world(folder)
        self.document = request_of_run(config_of(world.manifest))
        self.run_id = read_request(self.document).run_id
        config = config_of(world.manifest, scenario_run_id=self.run_id)
        self.bus = KeptRecords()
        self.runner = runner_over(config, sealed(world), self.bus, NOW_US)

    def calls(self, scenario: Callable[[Call], Awaitable[None]], policy: ReemitPolicy | None = None, server: Any = None) -> None:
        """Run a scenario of calls against a server on a free port."""

        async def run() -> None:
            listening = web.AppRunner((server or RunnerServer(RunnerService(self.runner, ACCESS, policy))).app)
            await listening.setup()
            await web.TCPSite(listening, "127.0.0.1", 0).start()
            address = f"http://127.0.0.1:{listening.addresses[0][1]}"
            async with aiohttp.ClientSession() as session:

                async def call(method: str, path: str, body: Any = None, headers: dict[str, str] = KEY) -> tuple[int, Any]:
                    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
                    async with session.request(method, f"{address}{path}", headers=headers, **sent) as answer:
                        return answer.status, await (answer.json() if answer.content_type == "application/json" else answer.text())

                await scenario(call)
            await listening.cleanup()

        asyncio.run(run())

    @property
    def denied(self) -> list[dict[str, Any]]:
        events = Record(self.runner.store, self.run_id).read_on().events
        return [event["details"] for event in events if event["event_kind"] == "AUTH_DENIED"]


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def test_http_gives_the_answers_of_the_functions(served: Served) -> None:
    async def scenario(call: Call) -> None:
        status, answer = await call("POST", "/v1/runs", served.document)
        assert (status, answer["state"]) == (200, "READY")
        assert answer == served.runner.submit(read_request(served.document)).as_json()
        assert await call("POST", "/v1/runs", served.document) == (200, answer)
        assert await call("GET", f"/v1/runs/{served.run_id}") == (200, show(served.runner.store, served.run_id).as_json())
        status, said = await call("POST", f"/v1/runs/{served.run_id}/reemit", {"reason": "lost"})
        assert (status, said["published"]) == (200, [answer["message_id"]])

    served.calls(scenario)


def test_figures_are_shown_to_a_key_of_the_run_and_count_what_was_asked_and_refused(served: Served) -> None:
    lines: list[Any] = []
    telemetry = Telemetry([lines.append, RunMetrics(time.monotonic)], KINDS)
    served.runner = replace(served.runner, telemetry=telemetry)
    refused = 'assay_sr_runs_rejected_total{reason="ACTOR_NOT_ALLOWED"}'

    async def scenario(call: Call) -> None:
        assert (await call("GET", "/metrics", headers={}))[0] == 401
        await call("POST", "/v1/runs", served.document)
        await call("POST", "/v1/runs", served.document, {**KEY, ACTOR_HEADER: "eve"})
        await call("POST", f"/v1/runs/{served.run_id}/reemit", {"reason": "lost"}, {**KEY, ACTOR_HEADER: "eve"})
        assert telemetry.close(60) == 0
        status, text = await call("GET", "/metrics")
        assert status == 200
        assert 'assay_sr_run_requests_total{kind="submit"}' in text and refused in text

    served.calls(scenario)
    asked = [(line["event_kind"], line["details"].get("kind", line["details"].get("reason_code"))) for line in lines]
    assert [one for one in asked if one[0].startswith("RUN_REQUEST")] == [
        ("RUN_REQUEST_RECEIVED", "submit"),
        *[("RUN_REQUEST_RECEIVED", "submit"), ("RUN_REQUEST_REJECTED", "ACTOR_NOT_ALLOWED")],
        *[("RUN_REQUEST_RECEIVED", "reemit"), ("RUN_REQUEST_REJECTED", "ACTOR_NOT_ALLOWED")],
    ]


def test_a_run_of_another_platform_run_in_the_same_store_supersedes_over_http(served: Served) -> None:
    served.runner.submit(read_request(served.document))
    document = {**served.document, "run_equivalence_key": "newer", "supersession_purpose": "CORRECTION"}
    newer = {"platform_run_id": "platform_20260102T000000Z", "scenario_run_id": read_request(document).run_id}
    served.runner = replace(served.runner, config=served.runner.config.model_copy(update=newer))

    async def scenario(call: Call) -> None:
        status, answer = await call("POST", f"/v1/runs/{served.run_id}/supersede", document)
        assert (status, answer["state"], answer["run_id"]) == (200, "READY", newer["scenario_run_id"])

    served.calls(scenario)
    told = [event["event_kind"] for event in Record(served.runner.store, served.run_id).read_on().events]
    assert told[-1] == "SUPERSEDED_BY"


def test_a_server_looks_again_until_the_evidence_is_there(served: Served) -> None:
    store = sealed(served.world)
    kept = {key: store.read(key) for key in store.keys("oracle")}
    for key in kept:
        store.remove(key)
    served.runner = replace(served.runner, poll_s=0.05)
    server, stopped = RunnerServer(RunnerService(served.runner, ACCESS)), asyncio.Event()

    async def scenario(call: Call) -> None:
        assert (await call("POST", "/v1/runs", {**served.document, "output_ids": ["payments"]}))[0] == 202
        watching = asyncio.create_task(server.watch(stopped))
        for key, data in kept.items():
            store.create(key, data)
        ends_s = time.monotonic() + 60
        while (await call("GET", f"/v1/runs/{served.run_id}"))[1]["state"] != "READY" and time.monotonic() < ends_s:
            pass  # each call lets the server work
        stopped.set()
        await watching
        assert (await call("GET", f"/v1/runs/{served.run_id}"))[1]["state"] == "READY"

    served.calls(scenario, server=server)


def test_a_server_is_called_up_once_clients_can_connect(served: Served) -> None:
    address, stopped = ("127.0.0.1", free_port()), asyncio.Event()

    def up() -> None:
        socket.create_connection(address, timeout=60).close()
        stopped.set()

    asyncio.run(serve(RunnerServer(RunnerService(served.runner, ACCESS)), address, stopped, up))
    assert stopped.is_set()


def test_a_run_whose_evidence_is_missing_is_accepted_and_not_waited_for(served: Served) -> None:
    for key in list(served.runner.store.keys("oracle")):
        sealed(served.world).remove(key)

    async def scenario(call: Call) -> None:
        status, answer = await call("POST", "/v1/runs", {**served.document, "output_ids": ["payments"]})
        assert (status, answer["state"], answer["reason_code"]) == (202, "WAITING_EVIDENCE", "EVIDENCE_WAITING")

    served.calls(scenario)


REFUSED: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("POST", "/v1/runs", {}, KEY, 400, "SCHEMA_FAIL"),
    ("POST", "/v1/runs", b"{", KEY, 400, "SCHEMA_FAIL"),
    ("POST", "/v1/runs", [], KEY, 400, "SCHEMA_FAIL"),
    ("POST", "/v1/runs", "request", {}, 401, "UNAUTHORISED"),
    ("POST", "/v1/runs", "request", {KEY_HEADER: "wrong"}, 401, "UNAUTHORISED"),
    ("POST", "/v1/runs", "request", {**KEY, ACTOR_HEADER: "rob"}, 403, "ACTOR_NOT_ALLOWED"),
    ("POST", "/v1/runs", "request", {KEY_HEADER: "right"}, 403, "ACTOR_NOT_ALLOWED"),
    ("POST", "/v1/runs", "another", KEY, 409, "EQUIV_KEY_COLLISION"),
    ("POST", "/v1/runs", "foreign", KEY, 409, "RUN_SCOPE_MISMATCH"),
    ("GET", "/v1/runs/{}", None, {}, 401, "UNAUTHORISED"),
    ("GET", "/v1/runs/" + "0" * 32, None, KEY, 404, "RUN_MISSING"),
    ("GET", "/v1/runs/..%2F..%2Fetc", None, KEY, 404, "RUN_MISSING"),
    ("POST", "/v1/runs/{}/reemit", {"reason": "x"}, {}, 401, "UNAUTHORISED"),
    ("POST", "/v1/runs/{}/reemit", {"reason": "x"}, {**KEY, ACTOR_HEADER: "eve"}, 403, "ACTOR_NOT_ALLOWED"),
    ("POST", "/v1/runs/{}/reemit", {}, KEY, 400, "SCHEMA_FAIL"),
    ("POST", "/v1/runs/{}/reemit", {"reason": "x", "reemit_kind": "TERMINAL_ONLY"}, KEY, 409, "REEMIT_TERMINAL_ONLY_MISMATCH"),
    ("POST", "/v1/runs/{}/reemit", {"reason": "x"}, {**KEY, ACTOR_HEADER: "rob"}, 429, "REEMIT_RATE_LIMIT"),
    ("POST", "/v1/runs/{}/supersede", "request", KEY, 409, "SUPERSEDES_ITSELF"),
    ("POST", "/v1/runs/{}/supersede", "request", {}, 401, "UNAUTHORISED"),
]


def test_each_refusal_has_its_status_and_code(served: Served) -> None:
    served.runner.submit(read_request(served.document))
    another, foreign = {**served.document, "seed": 99}, {**served.document, "run_equivalence_key": "foreign"}
    bodies = {"request": served.document, "another": another, "foreign": foreign}

    async def scenario(call: Call) -> None:
        for method, path, body, headers, status, code in REFUSED:
            sent = bodies[body] if isinstance(body, str) else body
            found, answer = await call(method, path.format(served.run_id), sent, headers)
            assert (found, answer["error"]) == (status, code), (method, path, body, headers)
            assert "etc" not in str(answer), "a path that names no run is no key of the store"

    served.calls(scenario, ReemitPolicy(limit=0))
    assert [(one["action"], one["reason_code"], one.get("actor")) for one in served.denied] == [
        ("submit", "UNAUTHORISED", None),
        ("submit", "ACTOR_NOT_ALLOWED", "rob"),
        ("submit", "ACTOR_NOT_ALLOWED", ""),
        ("reemit", "UNAUTHORISED", None),
        ("reemit", "ACTOR_NOT_ALLOWED", "eve"),
        ("supersede", "UNAUTHORISED", None),
    ], "each once, however often"


def test_a_stranger_writes_nothing_of_a_run_that_is_not_there(served: Served) -> None:
    async def scenario(call: Call) -> None:
        assert (await call("POST", "/v1/runs", served.document, {}))[0] == 401
        assert (await call("POST", f"/v1/runs/{'0' * 32}/reemit", {"reason": "x"}, {}))[0] == 401

    served.calls(scenario)
    assert list(served.runner.store.keys("sr")) == []
    assert served.runner.authority.rows() == []
