"""The page of figures of a command answers on this machine while the command works, and nowhere unless it is asked for."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from assay.app.metrics_page import metrics_served
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("assay_told_total", "Told.", registry=registry).inc(3)
    return registry


def test_the_page_answers_while_the_command_works_and_refuses_names_of_others() -> None:
    said: list[str] = []

    async def run() -> None:
        async with aiohttp.ClientSession() as session:
            async with metrics_served(_registry(), 0, said.append):
                url = said[0].removeprefix("metrics: ")
                async with session.get(url) as answer:
                    text = await answer.text()
                    assert (answer.status, answer.content_type) == (200, "text/plain")
                assert "assay_told_total 3.0" in text
                assert "process_cpu_seconds_total" in text
                for path, headers, status in (("", {"Host": "elsewhere.example"}, 421), ("/other", {}, 404)):
                    async with session.get(url + path, headers=headers) as answer:
                        assert answer.status == status
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(url)

    asyncio.run(run())


def test_without_a_port_nothing_listens() -> None:
    said: list[str] = []

    async def run() -> None:
        async with metrics_served(_registry(), None, said.append):
            assert said == []

    asyncio.run(run())


def test_a_port_that_is_taken_is_refused() -> None:
    async def run(port: int) -> None:
        async with metrics_served(_registry(), port, print):
            raise AssertionError

    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Stop) as refused:
            asyncio.run(run(taken.getsockname()[1]))
    assert refused.value.reason is Reason.PORT_UNAVAILABLE
