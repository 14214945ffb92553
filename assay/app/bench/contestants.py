"""Who is measured by `assay bench lane`, and one measured round of any of them.

Every contestant is a process of its own that reads one topic and writes another. A round warms it up on the first part of
the input, freezes it while the rest is written (so that no producer competes with it), and lets it go: that instant is the
start, the end is when the broker has acknowledged the last output. What it has committed is checked afterwards.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from assay.app.bench.bus import BenchBus, wait_until
from assay.app.bench.memory import touch
from assay.app.substrate import Server
from assay.app.substrate.processes import Launch

Pairs = Sequence[tuple[bytes | None, bytes]]

#: memory of the machine that an event may need, on the broker's disk and in all processes
EVENT_BYTES = 8 * 1024


class Contestant(NamedTuple):
    """A program with its topics. `check` looks at what one round has left on the bus and says what was compared."""

    name: str
    argv: Sequence[str]
    group: str
    source: str
    target: str
    pairs: Pairs
    warm: int
    check: Callable[[], dict[str, Any]]
    cwd: Path | None = None
    #: writes in transactions: what it has written counts when it has committed the input it is made of
    transactional: bool = False
    #: commits its input seldom, but always when it is stopped
    commits_when_stopped: bool = False


def python(*arguments: str) -> list[str]:
    """The argument vector of a Python module run as a program."""
    return [sys.executable, "-m", *arguments]


def measure(
    contestant: Contestant, bus: BenchBus, broker: psutil.Process | None, room: Path, *, touched: bool = True
) -> dict[str, Any]:  # fmt: skip
    """One round: events, wall and CPU seconds, and the rates they give. `touched`: memory is asked of a host beforehand."""
    room.mkdir(parents=True, exist_ok=True)
    bus.write(contestant.source, contestant.pairs[: contestant.warm])
    log, cwd = room / f"{contestant.name}.log", contestant.cwd or Path.cwd()
    launch = Launch(list(contestant.argv), cwd, log, signal.SIGTERM, 20.0, inherit_environment=True)
    with Server(contestant.name, 0, "", log=log, launch=launch).start() as process:
        _await_written(contestant, bus, process, contestant.warm)
        if not contestant.commits_when_stopped:
            _await_committed(contestant, bus, process, contestant.warm)
        if touched:
            touch(EVENT_BYTES * (len(contestant.pairs) - contestant.warm))
        process.pause()
        bus.write(contestant.source, contestant.pairs[contestant.warm :])
        figures = _race(contestant, bus, process, broker)
        if contestant.commits_when_stopped:
            process.stop()
        _await_committed(contestant, bus, process, len(contestant.pairs))
    return {"contestant": contestant.name, **figures, "checked": contestant.check()}


def _race(contestant: Contestant, bus: BenchBus, process: Server, broker: psutil.Process | None) -> dict[str, Any]:
    total, events = len(contestant.pairs), len(contestant.pairs) - contestant.warm
    watched = {"process": psutil.Process(process.pid), "bench": psutil.Process()} | ({"broker": broker} if broker else {})
    before, busy = {name: cpu_s(one) for name, one in watched.items()}, busy_s()
    started = time.perf_counter()
    process.resume()
    _await_written(contestant, bus, process, total)
    wall_s = time.perf_counter() - started
    used = {name: round(cpu_s(one) - before[name], 3) for name, one in watched.items()}
    used["rest_of_machine"] = round(max(0.0, busy_s() - busy - sum(used.values())), 3)
    return {
        "events": events,
        "wall_s": round(wall_s, 3),
        "cpu_s": used,
        "events_per_s": round(events / wall_s),
        "events_per_process_cpu_s": round(events / max(used["process"], 1e-9)),
    }


def _await_written(contestant: Contestant, bus: BenchBus, process: Server, count: int) -> None:
    """As many outputs on the topic as there were events. The end of a transaction takes an offset as well, so there it is
    the commit that says when all of them are there; it is asked for last, because the question costs more.
    """
    wait_until(lambda: bus.end(contestant.target) >= count, f"written {count} records", process, _patience_s(count))
    if contestant.transactional:
        _await_committed(contestant, bus, process, count)


def _await_committed(contestant: Contestant, bus: BenchBus, process: Server, count: int) -> None:
    group, source = contestant.group, contestant.source
    wait_until(lambda: bus.committed(group, source) >= count, f"committed {count} offsets", process, _patience_s(count))


def _patience_s(count: int) -> float:
    """How long a slow contestant on a busy machine may take."""
    return 180.0 + count / 500


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process, all its threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


def family_cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and its children, those that ended too; of this process its own alone."""
    if process.pid == psutil.Process().pid:
        return cpu_s(process)
    times = process.cpu_times()
    living = sum(cpu_s(child) for child in process.children(recursive=True))
    return cpu_s(process) + living + float(times.children_user + times.children_system)


def busy_s() -> float:
    """CPU seconds that anything on this machine has used: a figure beside a busy rest is a figure of that, too."""
    times: dict[str, float] = psutil.cpu_times()._asdict()
    return sum(times.values()) - times["idle"] - times.get("iowait", 0.0)  # only Linux counts the wait for a disk by itself
