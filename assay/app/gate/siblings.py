"""The metrics of all processes of one gate in one answer: whoever is asked asks the others, and each line says whose it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from assay.agents.faust_shell.web_guard import LOOPBACK
from assay.app.metrics import CONTENT_TYPE, GATE, exposition

LABEL: Final = "process"
#: a process that does not answer within this is left out: it has `assay_gate_process_up` 0
_WITHIN_S: Final = 1.0
_UP: Final = "assay_gate_process_up"
_PATH: Final = "/metrics"


async def own_metrics() -> bytes:
    """Those of this process, which is the only one of its gate."""
    return exposition(GATE)


class Siblings:
    """The processes of a gate, by the ports on this machine at which each tells its own metrics. `own` is this one's number."""

    def __init__(self, ports: Sequence[int], own: int) -> None:
        self._ports, self._own = tuple(ports), own

    async def exposition(self) -> bytes:
        """The metrics of all processes in Prometheus' text format."""
        others = [number for number in range(len(self._ports)) if number != self._own]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_WITHIN_S)) as client:
            told = await asyncio.gather(*(_asked(client, self._ports[number]) for number in others))
        texts = {self._own: exposition(GATE).decode(), **dict(zip(others, told, strict=True))}
        return merged({str(number): texts[number] for number in sorted(texts)})

    def application(self) -> web.Application:
        """What the others ask."""
        made = web.Application()
        made.add_routes([web.get(_PATH, _own)])
        return made

    async def serve(self) -> web.AppRunner:
        """Answer the others until the runner is cleaned up. Raises OSError where the port is taken."""
        runner = web.AppRunner(self.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, self._ports[self._own]).start()
        return runner


def merged(texts: Mapping[str, str]) -> bytes:
    """One exposition of several, by the names of their processes; each sample has a label `process`. An empty text is a process that does
    not answer."""
    families: dict[str, Metric] = {}
    up = families[_UP] = Metric(_UP, "1 for each process of the gate that answers, else 0.", "gauge")
    for process, text in texts.items():
        up.add_sample(up.name, {LABEL: process}, float(bool(text)))
        for family in text_string_to_metric_families(text):
            kept = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            kept.samples += [sample._replace(labels={**sample.labels, LABEL: process}) for sample in family.samples]
    registry = CollectorRegistry()
    registry.register(_Told(families.values()))
    return generate_latest(registry)


class _Told:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """As a registry asks."""
        return self._families


async def _asked(client: aiohttp.ClientSession, port: int) -> str:
    try:
        async with client.get(f"http://{LOOPBACK}:{port}{_PATH}") as answer:
            return await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""


async def _own(_: web.Request) -> web.Response:
    return web.Response(body=exposition(GATE), headers={"Content-Type": CONTENT_TYPE})
