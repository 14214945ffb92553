"""Digests of every byte that the decision lane makes of an input in records of mixed sizes: journal, emissions and state.

The input has records of every kind: payments, repeated ids, other payloads under known ids, labels, context facts, a posture, records cut
short, garbage and nulls. The code digest is fixed, so that the bytes depend on what the code does and not on its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np

from assay.agents.lane import LaneMachine
from assay.agents.specs import Role
from assay.agents.step import Chunk, LaneOutput
from assay.agents.topology import TOPOLOGY
from assay.app.bench import workload_w
from assay.app.bench.lane import bench_config
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.warm.kernels import PARTITIONS
from assay.app.warm.world import config_of, world
from assay.codecs.columns import Strings
from assay.codecs.table_state import blocks
from assay.contracts.handles import TRAFFIC

CODE = bytes(32)
#: rows of a fetch, and of a journal record at most, one after another
SIZES = (1, 20, 1, 7, 64, 20, 2, 100, 20, 1, 333, 20, 63, 65, 5_000)
#: every so many payments one is cut short, one is garbage and one is null
CUT, GARBAGE, NULL = 61, 83, 97
#: wall time between two journal records: changelog rows go out every few of them
WALL_US = 37_000
#: payments of workload W
PAYMENTS = 12_000


class Digests(NamedTuple):
    """SHA-256 in hex of the journal, the emissions and the state at the end, and how many journal records there were."""

    journal: str
    emissions: str
    state: str
    records: int


def of_policy(policy: str, ordering: str) -> Digests:
    """The small world that warming runs, under a shipped policy, with damaged records among its payments."""
    config = config_of(policy).model_copy(update={"ordering": ordering})
    log = world(config, PARTITIONS)
    lane, chunks = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, PARTITIONS, code=CODE), []
    for handle, partition in sorted(log.tps(), key=lambda tp: (tp[0] == TRAFFIC, tp)):
        if (handle, partition) in lane.position():
            values = [record.value for record in log.read((handle, partition), 0, log.end((handle, partition)))]
            chunks += _chunks(handle, partition, _damaged(values) if handle == TRAFFIC else values)
    return folded(lane, chunks)


def of_workload() -> Digests:
    """Payments of workload W, which are many, with damaged and repeated records among them, as they arrive."""
    config = bench_config()
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, partition_counts(1), code=CODE)
    drawn = workload_w.draw(PAYMENTS, step_ms=600)
    values = [value or b"" for _, block in workload_w.records(drawn, config.pins, config.run_id) for value in block.tolist()]
    repeated = [values[i - i % 211] if i % 103 == 0 else value for i, value in enumerate(values)]
    return folded(lane, _chunks(TRAFFIC, 0, _damaged(repeated)))


def folded(lane: LaneMachine, chunks: Sequence[Chunk]) -> Digests:
    """What a lane makes of these fetches."""
    lane.unemitted()
    lane.apply(lane.claim_entry(0).value)
    journal, emissions, state = (hashlib.sha256() for _ in range(3))
    sizes, count = cycle(SIZES), 0
    for chunk in chunks:
        lane.receive(chunk)
        while True:
            lane._rows_max = next(sizes)
            entry = lane.next_entry(workload_w.START_US + count * WALL_US)
            if entry is None:
                break
            journal.update(entry.value)
            for piece in _emitted(lane.apply(entry.value)):
                emissions.update(piece)
            lane.emitted(entry.sequence)
            count += 1
    for name, part in sorted(lane.state().items()):
        state.update(name.encode())
        for block in blocks(part):
            state.update(block)
    return Digests(journal.hexdigest(), emissions.hexdigest(), state.hexdigest(), count)


def _emitted(output: LaneOutput) -> Iterator[bytes]:
    for emission in output.emissions:
        yield repr((emission.handle, emission.partitions.tolist(), emission.keys.tolist(), emission.values.tolist())).encode()


def _chunks(handle: str, partition: int, values: Sequence[bytes | None]) -> list[Chunk]:
    found, sizes, at = [], cycle(SIZES), 0
    while at < len(values):
        part = values[at : at + next(sizes)]
        found.append(Chunk(handle, partition, np.arange(at, at + len(part), dtype=np.int64), Strings.of(part)))
        at += len(part)
    return found


def _damaged(values: Sequence[bytes]) -> list[bytes | None]:
    """The values with damaged ones put between them; none is lost."""
    found: list[bytes | None] = []
    for number, value in enumerate(values, 1):
        found.append(value)
        found += [value[: len(value) - 3]] if number % CUT == 0 else []
        found += [b"\xff" * 40] if number % GARBAGE == 0 else []
        found += [None] if number % NULL == 0 else []
    return found
