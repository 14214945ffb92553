"""`assay bench stream`: the outputs of a bank streamed to a gate that only acknowledges, each round in processes of their own.

A round counts only if the gate saw every row. Seconds are those from the first call to the final mark; making and sorting the bank is
not in them, reading its views and keeping checkpoints is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.app.bench.ack_gate import TAKEN
from assay.app.bench.lane import machine
from assay.app.bench.stats import spread
from assay.app.demo.bank_run import outputs_of, sort_views
from assay.app.screen import Screen
from assay.app.stores.objects import DirectoryStore
from assay.app.world.demo_payments import bank_of_world
from assay.app.world.scales import SCALES
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import FRAUD

#: what is streamed: the traffic alone, or with its context
WHAT = {"traffic": (FRAUD.events,), "all": outputs_of(FRAUD)}


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give events per second and CPU. Raises Stop(BENCH_INVALID) where the gate did not see every row."""
    given = _arguments(arguments)
    screen = Screen(file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="assay-bench-stream-") as folder:
        bank = Path(folder) / "bank"
        bank_of_world(given.scale, given.seed, DirectoryStore(bank), screen)
        sort_views(DirectoryStore(bank), FRAUD, screen)
        rounds = []
        for number in range(given.rounds):
            for what, outputs in WHAT.items():
                room = Path(folder) / f"{what} {number}"
                rounds.append({"round": number, "what": what, **_round(bank, outputs, given, room)})
                screen.print("  " + json.dumps(rounds[-1]), highlight=False, soft_wrap=True)
    figures = {what: [one for one in rounds if one["what"] == what] for what in WHAT}
    return {
        "bench": "stream",
        "machine": machine(),
        "measured": f"a bank of scale {given.scale}, {given.batch:,} events a call, {given.in_flight} calls of an output on their way",
        "rounds": rounds,
        **{
            what: {name: spread([one[name] for one in found]) for name in ("events_per_s", "cpu_us_per_event")}
            for what, found in figures.items()
        },
    }


def _round(bank: Path, outputs: tuple[str, ...], given: Namespace, room: Path) -> dict[str, Any]:
    with _ack_gate() as url:
        command = [sys.executable, "-m", "assay.app.bench.stream_process", str(bank), url, ",".join(outputs), str(room)]
        ended = subprocess.run([*command, str(given.batch), str(given.in_flight)], capture_output=True, text=True, check=False)
        if ended.returncode:
            raise Stop(Reason.BENCH_INVALID, f"the streamer ended with {ended.returncode}: {ended.stderr[-500:]}", where=url)
        figures = json.loads(ended.stdout)
        with urllib.request.urlopen(f"{url}{TAKEN}", timeout=10) as answer:  # noqa: S310 - our own process
            taken = json.loads(answer.read())
    if taken["events"] != figures["events"] or not figures["events"]:
        raise Stop(Reason.BENCH_INVALID, f"the gate saw {taken['events']} of {figures['events']} events", where=url)
    return {
        "events": figures["events"],
        "wall_s": round(figures["wall_s"], 3),
        "events_per_s": round(figures["events"] / figures["wall_s"]),
        "cpu_us_per_event": round(figures["cpu_s"] / figures["events"] * 1e6, 2),
        "calls": taken["calls"],
        "marks": taken["marks"],
    }


@contextmanager
def _ack_gate() -> Iterator[str]:
    command = [sys.executable, "-m", "assay.app.bench.ack_gate"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Stop(Reason.BENCH_INVALID, "the gate that only acknowledges did not start", where=" ".join(command))
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        process.kill()
        process.communicate()


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(
        prog="assay bench stream", description="events per second of the world streamer against a gate that only acknowledges"
    )
    parser.add_argument("--scale", choices=tuple(SCALES), default="tiny", help="of the bank that is made (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the bank (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each kind (default %(default)s)")
    parser.add_argument("--batch", type=int, default=2_000, help="events a call (default %(default)s)")
    parser.add_argument("--in-flight", type=int, default=2, help="calls of an output on their way (default %(default)s)")
    parser.add_argument("--folder", type=Path, default=None, help="where the bank is made")
    return parser.parse_args(arguments)
