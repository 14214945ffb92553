"""`assay bench posts`: one event a call, at a fixed rate with a burst inside, into a real gate.

Each event is due by a schedule made beforehand; its latency is from that instant to the answer that says ADMIT, with its receipt durable.
An answer to try again is tried again after 100 ms, and the event keeps its due time. Kafka and PostgreSQL are real; the client is
in this process. In the end the topic holds each event once, else there are no figures.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Any, Final

import msgspec
import numpy as np
import psutil

from assay.app.bench.contestants import family_cpu_s
from assay.app.bench.ingest import KEY, bench_run, bench_servers, envelope_of, gate_of, records_on_bus, server_processes
from assay.app.bench.readiness import say_ready
from assay.app.bench.stats import percentiles
from assay.app.bench.wire import WirePool
from assay.app.bus.rights import grant
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.codecs.columns import I64
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

AGAIN_AFTER_S: Final = 0.1
_AGAIN: Final = (429, 503)
_ADMITTED: Final = b'"admission":"ADMIT"'
#: what stands in the first body for the id of each event
_ID: Final = "0" * 64


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the figures: percentiles before, in and after the burst, and the CPU time of each process."""
    given = _arguments(arguments)
    with bench_servers() as (room, servers):
        bench = bench_run(room / "run", servers, 0)
        create_topics(bench.bootstrap, bench.namespace, properties=properties_of(bench, BusUser.ADMIN))
        grant(bench)
        say_ready(bench)
        with gate_of(bench, given.processes) as (process, url):
            watched = {"gate": psutil.Process(process.pid), "client": psutil.Process(), **server_processes(servers)}
            asyncio.run(_posted(url, bench, _due_s(given.warm_s, 0, 0, given.rate, 0), given.connections, "warm"))
            before = {name: family_cpu_s(one) for name, one in watched.items()}
            due_s = _due_s(given.seconds, given.burst_at, given.burst_s, given.rate, given.burst_rate)
            posted = asyncio.run(_posted(url, bench, due_s, given.connections, "post"))
            cpu_s = {name: family_cpu_s(one) - before[name] for name, one in watched.items()}
        warm = int(given.warm_s * given.rate)
        if records_on_bus(bench) != warm + len(due_s):
            what = f"{warm + len(due_s)} events were posted, {records_on_bus(bench)} lie on the bus"
            raise Stop(Reason.BENCH_INVALID, what)
    return _figures(given, due_s, posted, cpu_s)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench posts", description=__doc__)
    parser.add_argument("--rate", type=float, default=1_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60, help="seconds measured")
    parser.add_argument("--burst-rate", type=float, default=0, help="events a second within the burst; 0: no burst")
    parser.add_argument("--burst-at", type=float, default=20, help="second at which the burst begins")
    parser.add_argument("--burst-s", type=float, default=30, help="seconds of the burst")
    parser.add_argument("--warm-s", type=float, default=5, help="seconds before the measurement, at the same rate")
    parser.add_argument("--connections", type=int, default=256, help="connections at most")
    parser.add_argument("--processes", type=int, default=1, help="processes of the gate")
    return parser.parse_args(arguments)


def _due_s(seconds: float, burst_at: float, burst_s: float, rate: float, burst_rate: float) -> list[float]:
    """Seconds from the start at which each event is due."""
    if not burst_rate:
        burst_at, burst_s, burst_rate = seconds, 0.0, rate
    parts = ((0.0, burst_at, rate), (burst_at, burst_s, burst_rate), (burst_at + burst_s, seconds - burst_at - burst_s, rate))
    return [start + item / per_s for start, length, per_s in parts for item in range(int(length * per_s))]


class _Posted:
    """When each event was answered ADMIT, microseconds from the start, and what else was answered."""

    def __init__(self, count: int) -> None:
        self.admitted_us = np.zeros(count, np.int64)
        self.others = Counter[int]()
        self.late_us = 0


async def _posted(url: str, bench: Run, due_s: list[float], connections: int, name: str) -> _Posted:
    host, _, port = url.removeprefix("http://").partition(":")
    pool, posted, loop = WirePool(host, int(port), connections), _Posted(len(due_s)), asyncio.get_running_loop()
    head, tail = _request(bench, f"{host}:{port}")
    started, calls = loop.time(), set[asyncio.Task[None]]()

    async def post(item: int) -> None:
        request = head + hashlib.sha256(f"{name} {item}".encode()).hexdigest().encode() + tail
        while (answer := await pool.ask(request)).status in _AGAIN:
            posted.others[answer.status] += 1
            await asyncio.sleep(AGAIN_AFTER_S)
        if _ADMITTED not in answer.body:
            raise Stop(Reason.BENCH_INVALID, f"the gate answered {answer.status}: {answer.body.decode(errors='replace')[:300]}")
        posted.admitted_us[item] = int((loop.time() - started) * 1e6)

    with ProgressLine(name, len(due_s), Screen(stderr=True), time.monotonic) as line:
        for item, at in enumerate(due_s):
            ahead = at - (loop.time() - started)
            if ahead > 0:
                await asyncio.sleep(ahead)
            posted.late_us = max(posted.late_us, int(-ahead * 1e6))
            calls.add(task := asyncio.ensure_future(post(item)))
            task.add_done_callback(calls.discard)
            if item % 1_000 == 0:
                line.show(item)
                await asyncio.sleep(0)
        await asyncio.gather(*calls)
    pool.close()
    return posted


def _request(bench: Run, host: str) -> tuple[bytes, bytes]:
    """A request before and behind the id of its event."""
    scope = {**bench.config.pins.as_json(), "run_id": bench.config.run_id, "producer": "bench"}
    body = msgspec.json.encode({**envelope_of(0, scope), "event_id": _ID})
    headers = {"Host": host, KEY_HEADER: KEY, "Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = ["POST /v1/ingest/push HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    before, _, behind = body.partition(_ID.encode())
    return "\r\n".join(lines).encode() + before, behind


def _figures(given: Namespace, due_s: list[float], posted: _Posted, cpu_s: dict[str, float]) -> dict[str, Any]:
    due = np.array(due_s)
    latency_ms = (posted.admitted_us - due * 1e6) / 1_000
    ends = given.burst_at, given.burst_at + given.burst_s
    inside = (due >= ends[0]) & (due < ends[1]) & bool(given.burst_rate)
    parts = {"steady, before": ~inside & (due < ends[0]), "burst": inside, "steady, after": ~inside & (due >= ends[1])}
    told = parts if given.burst_rate else {"steady": np.ones(len(due), bool)}
    latency = {name: percentiles(latency_ms[rows]) for name, rows in told.items() if rows.any()}
    return {
        "bench": "posts",
        "rate_per_s": given.rate,
        "burst_per_s": given.burst_rate,
        "processes": given.processes,
        "posted": len(due_s),
        "rounds": [{"part": name, **found} for name, found in latency.items()],
        "latency_ms": latency,
        "admitted_per_s": round(len(due_s) / max(1e-6, _wall_s(posted.admitted_us))),
        "tried_again": dict(posted.others),
        "sender_late_ms": round(posted.late_us / 1_000, 1),
        "cpu_s_per_1000": {name: round(1_000 * used / len(due_s), 3) for name, used in cpu_s.items()},
        "counted": "answers that say ADMIT; the topic holds each event once",
        "machine": {"cores": str(psutil.cpu_count()), "load": str(psutil.getloadavg()), "ended": time.strftime("%Y-%m-%d %H:%M")},
    }


def _wall_s(admitted_us: I64) -> float:
    return float(admitted_us.max()) / 1e6
