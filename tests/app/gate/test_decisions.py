"""A decision is found by the id of its payment, whatever id that is: at the worker, and in the audit segments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from gate_events import SCOPE
from sample_audits import decided, write_chain
from sample_decisions import FEATURES

from assay.app.gate.decisions import Decisions
from assay.app.gate.index import AdmissionIndex
from assay.app.run.directory import Run, RunConfig

IDS = ("a", "ab", "{a}", "é" * 3, "x" * 63, "x" * 64, "x" * 256)


@pytest.fixture
def decisions(tmp_path: Path) -> Iterator[Decisions]:
    config = RunConfig.model_validate({**SCOPE, "features": FEATURES, "policy": {}})
    run = Run(directory=tmp_path, config=config, bootstrap="127.0.0.1:1", dsn="")
    write_chain(run.store, [decided(name, 1, 2, score, "ALLOW", []) for score, name in enumerate(IDS)])
    made = Decisions(run, AdmissionIndex("postgresql://nobody@127.0.0.1:1/none"))
    yield made
    for threads in (made._asking, made._reading, made._looking):
        threads.shutdown()


@pytest.mark.parametrize("event_id", IDS)
def test_a_decision_is_found_by_its_id(decisions: Decisions, event_id: str) -> None:
    row = decisions._audited(event_id)
    assert row is not None
    assert (row["source_event"]["event_id"], row["score"]) == (event_id, IDS.index(event_id))


@pytest.mark.parametrize("event_id", ["", "b", "é", "x" * 65])
def test_a_part_of_another_id_finds_nothing(decisions: Decisions, event_id: str) -> None:
    assert decisions._audited(event_id) is None


def asked_of_worker(decisions: Decisions, event_id: str) -> Any:
    """The key of the row that a worker is asked for."""

    async def row(request: web.Request) -> web.Response:
        return web.json_response({"key": request.match_info["key"]})

    async def ask() -> Any:
        app = web.Application()
        app.add_routes([web.get("/table/{name}/{key:[^/]+}", row)])
        async with TestServer(app) as worker:
            decisions._run = decisions._run.model_copy(update={"worker_url": str(worker.make_url("/"))})
            found, fault = await decisions._from_worker(event_id, "key")
            assert decisions._session is not None
            await decisions._session.close()
        assert fault is None
        return None if found is None else found["key"]

    return asyncio.run(ask())


@pytest.mark.parametrize("event_id", [*IDS, ".", "..", "...", "%2E%2E", "a/../b", "/", "?", "#", "é ü"])
def test_the_worker_is_asked_for_the_id_as_it_is(decisions: Decisions, event_id: str) -> None:
    assert asked_of_worker(decisions, event_id) == event_id
