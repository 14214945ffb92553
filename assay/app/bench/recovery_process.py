"""The two processes of `assay bench recovery`: one that builds state, snapshot and tail, and one that starts from them."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assay.agents.lane import LaneMachine
from assay.agents.specs import Role, journal_topic
from assay.agents.step import Chunk, JournalEntry
from assay.agents.topology import TOPOLOGY
from assay.app.bench import workload_w
from assay.app.bus.kafka_journal import KafkaJournal
from assay.app.bus.kafka_outputs import KafkaOutputs
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.wiring import snapshot_store, wall_us
from assay.app.run.directory import Run
from assay.app.run.failpoints import Failpoints
from assay.app.snapshots.store import digests_of
from assay.app.snapshots.taking import NEVER, Snapshots, manifest_of
from assay.contracts.handles import TRAFFIC
from assay.contracts.topics import topic, topics

#: all keys have their events within this time, so that every one of them is still in a 7-day window at the end
SPAN_MS = 6 * 86_400_000


def payments(keys: int, events: int) -> workload_w.Payments:
    """W's payments over so many keys: every id once in random order, then ids drawn as W draws them."""
    each = keys // len(workload_w.ENTITIES)
    drawn = workload_w.draw(events, step_ms=max(1, SPAN_MS // events))
    random = np.random.default_rng(11)
    numbers = {}
    for name, of_pool in drawn.numbers.items():
        scaled = (of_pool * (each / workload_w.ENTITIES[name])).astype(np.int64)
        scaled[:each] = random.permutation(each)
        numbers[name] = scaled
    return drawn._replace(numbers=numbers)


def entries(lane: LaneMachine, run: Run, drawn: workload_w.Payments, cut: int) -> Iterator[JournalEntry]:
    """Journal records of a lane that is fed these payments, each folded once it was looked at; one ends before payment `cut`."""
    at = 0
    for _, values in workload_w.records(drawn, run.config.pins, run.config.run_id):
        index = np.arange(len(values.lengths), dtype=np.int64)
        for rows in np.split(index, [min(max(cut - at, 0), len(index))]):
            if len(rows):
                lane.receive(Chunk(TRAFFIC, 0, at + rows, values.take(rows)))
            while (entry := lane.next_entry(0)) is not None:
                yield entry
                lane.apply(entry.value)
                lane.emitted(entry.sequence)
        at += len(index)


def build(run: Run, keys: int, events: int, tail_events: int) -> dict[str, Any]:
    """Fold the events, snapshot that, fold the tail and write its records to the journal topic."""
    lane = _lane(run)
    lane.unemitted()
    lane.apply(lane.claim_entry(0).value)
    drawn = payments(keys, events + tail_events)
    figures: dict[str, Any] = {}
    tail: list[bytes] = []
    for entry in entries(lane, run, drawn, events):
        if not figures and int(lane.position()[(TRAFFIC, 0)]) >= events:
            figures = _snapshot(lane, run)
        if figures:
            tail.append(entry.value)
    asyncio.run(_append(run, tail))
    return {**figures, "tail_records": len(tail), "tail_bytes": sum(map(len, tail)), "state": _steps(digests_of(lane.state()))}


def _snapshot(lane: LaneMachine, run: Run) -> dict[str, Any]:
    """Publish a snapshot; how long it took. The files leave the page cache, as on a machine that has just started."""
    began = time.monotonic()
    parts = lane.state()
    state_s = time.monotonic() - began
    draft = snapshot_store(run, lane).draft(lane.applied.sequence)
    for name, state in parts.items():
        draft.write(name, state)
    draft.publish(manifest_of(lane, draft, (_journal_topic(run), 0), 0))
    took_s = time.monotonic() - began
    for part in draft.parts:
        handle = os.open(Path(run.place) / part.key, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)
    size = {part.name: part.size_bytes for part in draft.parts}
    return {"snapshot_s": round(took_s, 2), "views_s": round(state_s, 2), "part_bytes": size}


async def _append(run: Run, values: list[bytes]) -> None:
    journal = KafkaJournal(run.bootstrap, _journal_topic(run))
    await journal.start()
    for value in values:
        await (await journal.append(value, wall_us() // 1_000))
    await journal.close()


def start(run: Run) -> dict[str, Any]:
    """What a worker does before it fetches: restore, fold the tail, claim. Peak memory is that of this whole process."""
    return asyncio.run(_start(run))


async def _start(run: Run) -> dict[str, Any]:
    began, cpu, before = time.monotonic(), time.process_time(), psutil.Process().memory_info().rss
    lane, journal = _lane(run), KafkaJournal(run.bootstrap, _journal_topic(run))
    snapshots = Snapshots(lane, snapshot_store(run, lane), journal, NEVER, time.monotonic, Failpoints())
    outputs = KafkaOutputs(run.bootstrap, {handle: found.name(run.namespace) for handle, found in topics().items()})
    driver = LaneDriver(lane, journal, outputs, wall_us, Failpoints(), snapshots=snapshots)
    await driver.recover()
    recovered_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    peak_kb, after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, psutil.Process().memory_info().rss
    await driver.close()
    return {
        "start_s": round(recovered_s, 2),
        "start_cpu_s": round(cpu_s, 2),
        "snapshot_load_s": round(snapshots.load_s, 2),
        "tail_s": round(recovered_s - snapshots.load_s, 2),
        "process_age_s": round(time.time() - psutil.Process().create_time(), 2),
        "peak_mb": round(peak_kb / 1024),
        "state_mb": round((after - before) / 2**20),
        "state": _steps(digests_of(lane.state())),
    }


def _steps(digests: dict[str, str]) -> dict[str, str]:
    """Without how far the journal is folded: a start appends its claim."""
    return {name: digest for name, digest in digests.items() if name != "lane"}


def _lane(run: Run) -> LaneMachine:
    return fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), run.config, partition_counts(run.partitions))


def _journal_topic(run: Run) -> str:
    return topic(journal_topic(TOPOLOGY.with_role(Role.DECIDE))).name(run.namespace)


if __name__ == "__main__":
    what, directory, *numbers = sys.argv[1:]
    loaded = Run.load(Path(directory))
    print(json.dumps(build(loaded, *map(int, numbers)) if what == "build" else start(loaded)))
