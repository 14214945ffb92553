"""`assay bench small`: the cost of a journal record by its number of rows, and the share of each step in it.

One thread, without Kafka, workload W: fetched payments are received, put in order and journaled, and the record is folded, as in a worker.
A record of few rows costs far more than its rows' share of a large one; `rows_worth` says how much more: its cost over the cost of as many
rows in a record of the largest size. Each point is a lane of its own that has decided payments before. CPU time is that of the process. The
budget is measured in a second lane, by wall clock, with a timer around each step.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from assay.agents.batch import Batch, Result, Rows, Step, Views
from assay.agents.lane import LaneMachine
from assay.agents.plans import Plans
from assay.agents.specs import LaneSpec, Role, StepSpec
from assay.agents.step import Chunk
from assay.agents.topology import TOPOLOGY
from assay.app.bench import workload_w
from assay.app.bench.lane import bench_config, machine
from assay.app.bench.stats import spread
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.progress import ProgressLine
from assay.app.screen import Screen
from assay.codecs.columns import Strings, concat
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason

ROWS = (1, 5, 20, 100, 1_000, 5_000)
#: payments before the measured ones, and rows of their records
WARM, WARM_ROWS = 20_000, 1_000
#: records per point: between these bounds, `EVENTS` payments
RECORDS_MIN, RECORDS_MAX, EVENTS = 8, 1_000, 40_000
#: records that are not counted: the first of a size meet cold caches
UNCOUNTED = 5
#: payments per second of wall time, which decides how often changelog rows go out
PER_S = 2_000
STEP_MS = 600
#: stages outside of the steps
RECEIVE, ORDER, FOLD = "receive", "order_and_journal", "rest_of_fold"


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give CPU ms per record at every size, with spreads. Raises Stop(BENCH_INVALID) when a decision is missing."""
    given = _arguments(arguments)
    rounds: list[dict[str, Any]] = []
    with ProgressLine("points", len(given.rows) * given.rounds, Screen(file=sys.stderr), time.monotonic) as line:
        for number in range(given.rounds):
            for rows in given.rows:
                rounds.append({"round": number, "rows": rows, **_point(rows)})
                line.show(len(rounds), f"{rows:,} rows: {rounds[-1]['cpu_ms_per_record']} ms")
    return {
        "bench": "small",
        "machine": machine(),
        "measured": "receive, order, journal and fold, one thread, without Kafka",
        "rounds": rounds,
        "cpu_ms_per_record": _by_rows(rounds, given.rows, "cpu_ms_per_record"),
        "rows_worth": _by_rows(_with_worth(rounds, max(given.rows)), given.rows, "rows_worth"),
        **{f"budget_us_per_record, {rows:,} rows": _budgets(rounds, rows) for rows in given.rows},
    }


def _point(rows: int) -> dict[str, Any]:
    spec = TOPOLOGY.with_role(Role.DECIDE)
    records = min(max(EVENTS // rows, RECORDS_MIN), RECORDS_MAX)
    cpu_s, _ = _measured(spec, rows, records, {})
    spent_s: dict[str, float] = {}
    _, stages_s = _measured(_timed(spec, spent_s), rows, records, spent_s)
    budget_us = {name: round(spent / records * 1e6, 1) for name, spent in stages_s.items()}
    return {"records": records, "cpu_ms_per_record": round(cpu_s / records * 1e3, 4), "budget_us": budget_us}


def _measured(spec: LaneSpec, rows: int, records: int, spent_s: dict[str, float]) -> tuple[float, dict[str, float]]:
    """CPU seconds of so many records, and wall seconds by stage. `spent_s` is what the steps add theirs to."""
    config = bench_config()
    lane = fold_machine_of(spec, config, partition_counts(1))
    lane.unemitted()
    lane.apply(lane.claim_entry(0).value)
    drawn = workload_w.draw(WARM + (UNCOUNTED + records) * rows, step_ms=STEP_MS)
    values = concat([{"value": block} for _, block in workload_w.records(drawn, config.pins, config.run_id)])["value"]
    assert isinstance(values, Strings)
    warm = [_chunk(values, at, WARM_ROWS) for at in range(0, WARM, WARM_ROWS)]
    _run(lane, [*warm, *(_chunk(values, WARM + number * rows, rows) for number in range(UNCOUNTED))])
    chunks = [_chunk(values, WARM + (UNCOUNTED + number) * rows, rows) for number in range(records)]
    spent_s.update(dict.fromkeys(spent_s, 0.0))
    began_s = time.process_time()
    stages_s, decided = _run(lane, chunks)
    cpu_s = time.process_time() - began_s
    if decided != records * rows:
        raise Stop(Reason.BENCH_INVALID, f"{decided} of {records * rows} payments were decided in records of {rows}")
    stages_s[FOLD] -= sum(spent_s.values())
    return cpu_s, {**stages_s, **spent_s}


def _run(lane: LaneMachine, chunks: Sequence[Chunk]) -> tuple[dict[str, float], int]:
    """Wall seconds by stage, and how many payments were decided."""
    stages_s, decided, clock = dict.fromkeys((RECEIVE, ORDER, FOLD), 0.0), 0, time.perf_counter
    for chunk in chunks:
        first = clock()
        lane.receive(chunk)
        second = clock()
        entry = lane.next_entry(workload_w.START_US + int(chunk.offsets[0]) * 1_000_000 // PER_S)
        third = clock()
        assert entry is not None
        output = lane.apply(entry.value)
        last = clock()
        lane.emitted(entry.sequence)
        decided += sum(len(emission.partitions) for emission in output.emissions if emission.handle == RTDL)
        for stage, spent in zip(stages_s, (second - first, third - second, last - third), strict=True):
            stages_s[stage] += spent
    return stages_s, decided


def _chunk(values: Strings, at: int, rows: int) -> Chunk:
    index = np.arange(at, at + rows, dtype=np.int64)
    return Chunk(TRAFFIC, 0, index, values.take(index))


def _timed(spec: LaneSpec, spent_s: dict[str, float]) -> LaneSpec:
    """The lane with a timer around each of its steps."""
    return replace(spec, steps=tuple(replace(step, make=_timing(step, spent_s)) for step in spec.steps))


def _timing(spec: StepSpec, spent_s: dict[str, float]) -> Callable[[Plans, Views], Step]:
    spent_s[spec.component] = 0.0

    def make(plans: Plans, views: Views) -> Step:
        return _TimedStep(spec.make(plans, views), spec.component, spent_s)

    return make


class _TimedStep(Step):
    """A step that adds the wall time of its folds to its entry in `spent_s`."""

    def __init__(self, step: Step, name: str, spent_s: dict[str, float]) -> None:
        self._step, self._name, self._spent_s = step, name, spent_s

    def handle(self, batch: Batch) -> Result:
        """The fold of the step."""
        began_s = time.perf_counter()
        result = self._step.handle(batch)
        self._spent_s[self._name] += time.perf_counter() - began_s
        return result

    def tables(self) -> Mapping[str, Rows]:
        return self._step.tables()

    def view(self, table: str) -> Any:
        return self._step.view(table)


def _with_worth(rounds: Sequence[dict[str, Any]], largest: int) -> list[dict[str, Any]]:
    """The rounds with a record's cost over that of as many rows in a record of the largest size, in the same round."""
    row_ms = {one["round"]: one["cpu_ms_per_record"] / largest for one in rounds if one["rows"] == largest}
    return [{**one, "rows_worth": one["cpu_ms_per_record"] / (row_ms[one["round"]] * one["rows"])} for one in rounds]


def _by_rows(rounds: Sequence[Mapping[str, Any]], sizes: Sequence[int], figure: str) -> dict[str, dict[str, float]]:
    return {f"{rows:,}": spread([one[figure] for one in rounds if one["rows"] == rows]) for rows in sizes}


def _budgets(rounds: Sequence[Mapping[str, Any]], rows: int) -> dict[str, dict[str, float]]:
    of = [one["budget_us"] for one in rounds if one["rows"] == rows]
    return {stage: spread([one[stage] for one in of]) for stage in of[0]}


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench small", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="sizes of journal records")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)
