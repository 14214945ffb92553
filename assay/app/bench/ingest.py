"""`assay bench ingest`: HTTP batches into a real gate, until each is admitted with its receipt durable.

The gate is a process of its own over real Kafka, as the user that it has there, and PostgreSQL; the client posts bodies framed
beforehand, over a few kept-alive connections, from this process. Counted is what the gate answered ADMIT, checked against the bus
at the end of every round.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from assay.app.bench.bodies import MEDIA_TYPES, body_of
from assay.app.bench.contestants import family_cpu_s
from assay.app.bench.readiness import as_live, numbered_run, say_ready
from assay.app.bus.offsets import bounds_of
from assay.app.bus.rights import grant
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.policy.documents import document
from assay.app.run.directory import Run, RunConfig
from assay.app.settings import load_settings
from assay.app.substrate import Server, kafka_at, postgres_at
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Stop
from assay.contracts.handles import TRAFFIC
from assay.contracts.reasons import Reason

KEY = "bench-key"


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give the figures: wall and CPU seconds per process and round, items admitted, rates with their spread."""
    given = _arguments(arguments)
    with bench_servers() as (room, servers):
        rounds = [_round(given, room / f"round{n}", servers, n) for n in range(given.rounds)]
    rates = [float(one["admitted_per_s"]) for one in rounds]
    return {
        "bench": "ingest",
        "items_per_round": given.items,
        "items_per_call": given.batch,
        "format": given.format,
        "connections": given.connections,
        "processes": given.processes,
        "rounds": rounds,
        "admitted_per_s": {"min": min(rates), "median": statistics.median(rates), "max": max(rates)},
        "parts": {"bus": "Apache Kafka", "sql": "PostgreSQL", "objects": "directory"},
        "counted": "ADMIT answers, each with an fsynced receipt and a settled index row; the topics hold exactly as many records",
    }


@contextmanager
def bench_servers() -> Iterator[tuple[Path, dict[str, Server]]]:
    """A folder, and Kafka and PostgreSQL in it, which go with it in the end."""
    settings = load_settings()
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="assay-bench-"))
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        kafka = kafka_at(room / "kafka", settings, secured=True)
        stack.callback(kafka.stop)
        postgres = postgres_at(room / "postgres", settings)
        stack.callback(postgres.stop)
        yield room, {"kafka": kafka, "postgres": postgres}


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench ingest", description=__doc__)
    parser.add_argument("--items", type=int, default=200_000, help="events per round")
    parser.add_argument("--batch", type=int, default=1_000, help="events per call")
    parser.add_argument("--format", choices=MEDIA_TYPES, default="json", help="what a body is")
    parser.add_argument("--connections", type=int, default=8, help="calls at a time")
    parser.add_argument("--processes", type=int, default=1, help="processes of the gate")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


def _round(given: Namespace, directory: Path, servers: dict[str, Server], number: int) -> dict[str, Any]:
    bench = bench_run(directory, servers, number)
    create_topics(bench.bootstrap, bench.namespace, properties=properties_of(bench, BusUser.ADMIN))
    grant(bench)
    say_ready(bench)
    bodies = list(_bodies(bench, given.items, given.batch, given.format))
    with gate_of(bench, given.processes) as (process, url):
        watched = {"gate": psutil.Process(process.pid), "client": psutil.Process(), **server_processes(servers)}
        before = {name: family_cpu_s(one) for name, one in watched.items()}
        started = time.perf_counter()
        admitted = asyncio.run(_post_all(url, bodies, given.connections, MEDIA_TYPES[given.format]))
        wall_s = time.perf_counter() - started
        cpu_s = {name: round(family_cpu_s(one) - before[name], 3) for name, one in watched.items()}
    on_bus = records_on_bus(bench)
    if not admitted == on_bus == given.items:
        raise Stop(Reason.BENCH_INVALID, f"{given.items} events were posted, {admitted} admitted, {on_bus} lie on the bus")
    rate, gate_us = admitted / wall_s, 1e6 * cpu_s["gate"] / admitted
    figures = {"gate_cpu_us_per_event": round(gate_us, 1), "body_bytes": sum(map(len, bodies)), "admitted_per_s": round(rate)}
    return {"admitted": admitted, "wall_s": round(wall_s, 3), "cpu_s": cpu_s, **figures}


def bench_run(directory: Path, servers: dict[str, Server], number: int) -> Run:
    """A run over these servers that is not READY yet."""
    config = RunConfig(
        platform_run_id=numbered_run(number),
        scenario_run_id="5" * 32,
        manifest_fingerprint="a" * 64,
        parameter_hash="b" * 64,
        scenario_id="bench",
        seed=7,
        run_id="c" * 32,
        features=document("handbook", "features"),
        policy={},
    )
    made = Run(
        directory=directory,
        config=as_live(config),
        namespace=f"bench{number}.",
        bootstrap=servers["kafka"].address,
        bus_users=servers["kafka"].users,
        dsn=servers["postgres"].address,
        api_key=KEY,
    )
    made.save()
    return made


def _bodies(bench: Run, items: int, batch: int, form: str) -> Iterator[bytes]:
    """Payments shaped as the Handbook's, ids as a streamer makes them."""
    scope = {**bench.config.pins.as_json(), "run_id": bench.config.run_id, "producer": "world_streamer"}
    for start in range(0, items, batch):
        yield body_of(form, "payment", [envelope_of(i, scope) for i in range(start, min(start + batch, items))])


def envelope_of(i: int, scope: dict[str, Any]) -> dict[str, Any]:
    """Payment number `i` in a run's scope."""
    spread = (i * 2_654_435_761) % (1 << 32)
    return {
        "event_id": hashlib.sha256(str(i).encode()).hexdigest(),
        "event_type": "transaction",
        "schema_version": "v1",
        "ts_utc": f"2018-04-{1 + i // 40_000 % 28:02d}T{i // 3_600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d}.000000Z",
        **scope,
        "payload": {
            "kind": "purchase",
            "amount_minor": 100 + spread % 30_000,
            "currency": "EUR",
            "entities": {"customer": str(spread % 5_000), "terminal": str(spread // 7 % 10_000)},
            "attributes": {"tx_time_seconds": str(i), "tx_time_days": str(i // 86_400)},
        },
    }


@contextmanager
def gate_of(bench: Run, processes: int = 1) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gate for a run, and its address. Raises Stop(BENCH_INVALID) when it does not start."""
    command = [sys.executable, "-m", "assay", "gate", "serve", "--run", str(bench.directory), "--port", "0", "--processes", str(processes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "listening on " not in line:
            raise Stop(Reason.BENCH_INVALID, f"the gate did not start: {line.strip() or 'it ended'}")
        yield process, line.split("listening on ")[1].split()[0]
    finally:
        process.terminate()
        process.wait(60)


async def _post_all(url: str, bodies: list[bytes], connections: int, media_type: str) -> int:
    """Post every body; how many items were admitted. A call to be tried again is tried again."""
    waiting = iter(bodies)
    headers = {KEY_HEADER: KEY, "Content-Type": media_type}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def post_some() -> int:
            admitted = 0
            for body in waiting:
                status = 503
                while status == 503:
                    async with session.post(f"{url}/v1/ingest/batch?results=exceptions", data=body) as response:
                        status, answer = response.status, await response.json()
                if status != 200:
                    raise Stop(Reason.BENCH_INVALID, f"the gate answered {status}: {answer}")
                admitted += answer["counts"].get("ADMIT", 0)
            return admitted

        return sum(await asyncio.gather(*(post_some() for _ in range(connections))))


def server_processes(servers: dict[str, Server]) -> dict[str, psutil.Process]:
    """The processes of servers that are ours."""
    return {name: psutil.Process(server.pid) for name, server in servers.items() if server.pid}


def records_on_bus(bench: Run) -> int:
    """Records on the traffic topic of a run."""
    bounds = bounds_of(bench.bootstrap, TRAFFIC, bench.namespace, properties_of(bench, BusUser.READER))
    return sum(end for _, end in bounds.values())
