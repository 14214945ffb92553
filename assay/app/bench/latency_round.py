"""One round of `assay bench latency`: a path for warm-up and measured time, with topics and processes of its own."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console

from assay.app.bench import workload_w
from assay.app.bench.arena import Arena
from assay.app.bench.bus import wait_until
from assay.app.bench.checks import check_copy, check_once_in_effect, event_ids_of
from assay.app.bench.contestants import family_cpu_s
from assay.app.bench.ingest import KEY, gate_of
from assay.app.bench.lane import bench_config
from assay.app.bench.open_loop import Asker, Caller, Feeder, Schedule
from assay.app.bench.readiness import as_live, numbered_run, say_ready
from assay.app.bench.stats import percentiles, timing_figures
from assay.app.bench.workers import DEADLINE_S, start_copy, start_worker
from assay.app.bus.topics import create_topics
from assay.app.progress import ProgressLine
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.columns import I64, Strings
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

#: the raw copy is in the place of the lane, under the schedule of `direct`
COPY, DIRECT, GATE, DECIDE = PATHS = ("copy", "direct", "gate", "decide")
#: of these the gate is part, over PostgreSQL
THROUGH_GATE: Final = (GATE, DECIDE)
#: points of a distribution that are drawn and written out
SHARES: Final = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0)


class _Times(NamedTuple):
    """Per measured payment, int64 µs of wall time, in the order in which they were due."""

    due_us: I64
    sent_us: I64
    written_us: I64


def measure_path(given: Namespace, place: Arena, path: str, number: int, console: Console) -> dict[str, Any]:
    """The figures of a round. Raises Stop(BENCH_INVALID) when an output is missing or differs, or the gate does not admit every payment."""
    made = _made(place, path, number)
    payments = workload_w.draw(round(given.rate * (given.warm_s + given.seconds)))
    with ExitStack() as stack:
        processes = _started(made, path, stack, standby=given.standby)
        sender, gate = stack.enter_context(_sender(given, place, made, payments, path))
        watched = _watched(place, processes, gate)
        sender.start()
        _wait(sender, given.warm_s, None)
        before = {name: family_cpu_s(one) for name, one in watched.items()}
        title = f"round {number + 1} of {given.uncounted + given.rounds}, {path}"
        with ProgressLine(title, sender.count, console, time.monotonic, sender.sent) as line:
            _wait(sender, given.seconds + DEADLINE_S, line)
        used = {name: round(family_cpu_s(one) - before[name], 3) for name, one in watched.items()}
        _settled(made, place, sender, payments, processes["worker"])
    checked = _checked(made, place, payments, path) | ({"fallbacks": sender.fallbacks} if isinstance(sender, Asker) else {})
    times = _times(made, place, sender, path, given.per_call if path == GATE else 1, round(given.warm_s * given.rate))
    place.bus.delete(made.namespace)
    measured = {"path": path, "round": number, "payments": len(times.due_us), "seconds": given.seconds}
    figures = {"sender_late_ms_max": sender.late_ms(), "cpu_s": used, **timing_figures(*times)}
    return {**measured, **figures, "checked": checked, "curves": _curves(times)}


def _made(place: Arena, path: str, number: int) -> Run:
    """A run of its own: the gate remembers ids per run."""
    named = numbered_run(number * len(PATHS) + PATHS.index(path))
    config = as_live(bench_config().model_copy(update={"platform_run_id": named}))
    made = Run(
        directory=place.room / f"{path}{number}", config=config, namespace=f"latency{number}.{path}.", bootstrap=place.bus.bootstrap,
        dsn=place.postgres.address if place.postgres else "", partitions=1, api_key=KEY,
    )  # fmt: skip
    made.save()
    create_topics(made.bootstrap, made.namespace, 1)
    place.bus.stamp_by_broker(topic(RTDL).name(made.namespace))
    return made


def _started(made: Run, path: str, stack: ExitStack, *, standby: bool) -> dict[str, Server]:
    """The process that answers payments, `worker`, and the `standby` of a lane where one is wanted."""
    if path == COPY:
        source, target = (topic(handle).name(made.namespace) for handle in (TRAFFIC, RTDL))
        return {"worker": start_copy(made, source, target, stack)}
    worker = start_worker(made, 0, stack)
    wait_until(lambda: worker.decides, "a lane", worker.process, DEADLINE_S)
    if not standby:
        return {"worker": worker.process}
    second = start_worker(made, 1, stack)
    wait_until(lambda: bool(second.health().get("standby")), "stood by", second.process, DEADLINE_S)
    return {"worker": worker.process, "standby": second.process}


@contextmanager
def _sender(given: Namespace, place: Arena, made: Run, payments: workload_w.Payments, path: str) -> Iterator[tuple[Schedule, int]]:
    """What sends, and the gate's pid, 0 without one."""
    if path not in THROUGH_GATE:
        yield Feeder(place.bus, topic(TRAFFIC).name(made.namespace), workload_w.pairs(payments, made.config), given.rate), 0
        return
    say_ready(made)
    items = list(workload_w.envelopes(payments, made.config))
    if path == DECIDE:
        with gate_of(made) as (process, url):
            yield Asker(url, KEY, [_short_form(item) for item in items], given.rate), process.pid
        return
    bodies = [msgspec.json.encode(items[at : at + given.per_call]) for at in range(0, len(items), given.per_call)]
    with gate_of(made) as (process, url):
        yield Caller(url, KEY, bodies, given.rate / given.per_call), process.pid


def _short_form(envelope: dict[str, Any]) -> bytes:
    """The same payment as somebody posts it who waits."""
    return msgspec.json.encode({**envelope["payload"], "event_id": envelope["event_id"], "ts_utc": envelope["ts_utc"]})


def _wait(sender: Schedule, seconds: float, line: ProgressLine | None) -> None:
    """So long, or until all is sent."""
    until_s = time.monotonic() + seconds
    while sender.is_alive() and (left_s := until_s - time.monotonic()) > 0:
        sender.join(min(0.5, left_s))
        if line is not None:
            line.show(sender.sent)


def _settled(made: Run, place: Arena, sender: Schedule, payments: workload_w.Payments, worker: Server) -> None:
    """Wait until every payment is answered. Raises Stop(BENCH_INVALID) for calls that failed or payments not admitted."""
    wanted = len(payments.ts_us)
    if isinstance(sender, Caller) and (sender.failure is not None or sender.admitted != wanted):
        raise Stop(Reason.BENCH_INVALID, f"the gate admitted {sender.admitted} of {wanted} payments: {sender.failure or 'no call failed'}")
    if isinstance(sender, Asker) and (sender.failure is not None or sender.answered != wanted):
        raise Stop(Reason.BENCH_INVALID, f"the gate answered {sender.answered} of {wanted} payments: {sender.failure or 'no call failed'}")
    written = topic(RTDL).name(made.namespace)
    wait_until(lambda: place.bus.end(written) >= wanted, f"written {wanted} records", worker, DEADLINE_S)


def _checked(made: Run, place: Arena, payments: workload_w.Payments, path: str) -> dict[str, Any]:
    if path == COPY:
        return check_copy(place.bus, topic(RTDL).name(made.namespace), workload_w.pairs(payments, made.config))
    return check_once_in_effect(made, len(payments.ts_us))


def _times(made: Run, place: Arena, sender: Schedule, path: str, per_item: int, warm: int) -> _Times:
    """Times of all payments but the first `warm`. The broker gives an append in whole ms, so the end of that ms counts."""
    if isinstance(sender, Asker):  # what is measured is the way to who waits and back
        return _Times(sender.due_us()[warm:], sender.sent_us()[warm:], sender.answered_us()[warm:])
    name = topic(RTDL).name(made.namespace)
    written_us = (np.array(place.bus.times_ms(name), np.int64) + 1) * 1_000
    if path != COPY:  # a copy is in the order of its input
        numbers = workload_w.numbers_of(event_ids_of(Strings.of(place.bus.read(name))))
        written_us = written_us[np.unique(numbers, return_index=True)[1]]
    due_us, sent_us = (np.repeat(times, per_item)[: len(written_us)] for times in (sender.due_us(), sender.sent_us()))
    return _Times(due_us[warm:], sent_us[warm:], written_us[warm:])


def _curves(times: _Times) -> dict[str, Any]:
    """The distribution of the latencies, and their percentiles in each second of the measurement."""
    latency_ms: NDArray[np.float64] = (times.written_us - times.due_us) / 1_000
    second = (times.due_us - times.due_us[0]) // 1_000_000
    parts = [{"second": one, **percentiles(latency_ms[second == one])} for one in np.unique(second).tolist()]
    distribution = percentiles(latency_ms, {f"{share:g}": share for share in SHARES})
    return {"share": SHARES, "ms": list(distribution.values()), "per_second": parts}


def _watched(place: Arena, processes: dict[str, Server], gate: int) -> dict[str, psutil.Process]:
    pids = {"sender": psutil.Process().pid, "gate": gate, "postgres": place.postgres.pid if place.postgres and gate else 0}
    pids |= {name: process.pid for name, process in processes.items()}
    named = {name: psutil.Process(pid) for name, pid in pids.items() if pid}
    return named | ({"broker": place.broker} if place.broker else {})
