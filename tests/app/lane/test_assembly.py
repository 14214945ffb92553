"""A lane from its declaration: constants of the run that reach its steps, ports that must fit it, layouts that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driven_lanes import Clock, KeyedPort, LogJournal, LogOutputs
from machines import wired
from records import CONTEXT, CONTROL, LABELS, POSTURE, RTDL, T0_US, TRAFFIC, chunk, decision, payment
from simulated_worlds import config

from assay.agents.act import ActStep
from assay.agents.dedupe import DedupeStep
from assay.agents.merge import Merge
from assay.agents.specs import LaneSpec
from assay.agents.step import Machine
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import Ports, drive, fold_machine_of, machine_of, partition_counts
from assay.app.run.failpoints import Failpoints
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import ModelLog
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, JournalRecord
from assay.codecs.table_state import TableState
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.dedupe import RESENT_ROWS_MAX, SeenIds

ACT, RTDL_LANE = TOPOLOGY.lane("act"), TOPOLOGY.lane("rtdl")
CODE = bytes(32)


def ports(**changes: Any) -> Ports:
    log = ModelLog()
    return Ports(LogJournal(log, ("FP_JOURNAL_ACT_V1", 0)), LogOutputs(log), Clock(), Failpoints())._replace(**changes)


def machine(spec: LaneSpec) -> Machine:
    return machine_of(spec, config(), partition_counts(1), code=CODE)


@pytest.mark.parametrize(
    ("spec", "effector", "what"),
    [
        (ACT, None, "lane act declares effector actions, the ports have none"),
        (RTDL_LANE, KeyedPort(KeyedEffector()), "lane rtdl declares effector none, the ports have one"),
    ],
)
def test_ports_that_do_not_fit_the_lane_are_refused(spec: LaneSpec, effector: KeyedPort | None, what: str) -> None:
    with pytest.raises(Stop, match=what) as refused:
        drive(spec, machine(spec), ports(effector=effector))
    assert refused.value.reason is Reason.EFFECTOR_MISSING


@pytest.mark.parametrize("shard", [-1, 1, 7])
def test_a_lane_has_the_shards_that_it_declares_and_no_others(shard: int) -> None:
    with pytest.raises(Stop, match=f"lane rtdl has no shard {shard}, it has 1") as refused:
        machine_of(RTDL_LANE, config(), partition_counts(1), code=CODE, shard=shard)
    assert refused.value.reason is Reason.SHARDS_INVALID


def test_a_table_that_a_step_has_and_does_not_declare_is_refused() -> None:
    steps = tuple(replace(step, tables=()) if step.component == "posture" else step for step in RTDL_LANE.steps)
    with pytest.raises(Stop, match="step posture has the tables") as refused:
        machine(replace(RTDL_LANE, steps=steps))
    assert refused.value.reason is Reason.TABLE_UNOWNED


@pytest.mark.parametrize(("name", "shard", "of"), [("rtdl", 1, "rtdl/1"), ("act", 0, "act/0")])
def test_the_state_of_another_lane_or_shard_is_refused(name: str, shard: int, of: str) -> None:
    one = fold_machine_of(RTDL_LANE, config(), partition_counts(1), code=CODE)
    parts = dict(one.state())
    parts["lane"] = TableState({**parts["lane"].header, "lane": name, "shard": shard})
    with pytest.raises(Stop, match=f"is of lane {of}, this is lane rtdl/0") as refused:
        one.restore(parts)
    assert refused.value.reason is Reason.STATE_UNREADABLE


def test_effects_without_an_effector_end_the_lane_and_nothing_is_committable() -> None:
    spec = replace(ACT, effector=None)
    driver = drive(spec, machine(spec), ports())

    async def acts() -> None:
        assert await driver.recover()
        driver.feed(chunk(RTDL, [decision("a")]))
        async with asyncio.timeout(20):
            await driver.run()

    with pytest.raises(Stop, match="asks for effects, and no effector is wired") as stopped:
        asyncio.run(acts())
    assert stopped.value.reason is Reason.EFFECTOR_MISSING
    assert driver.committable().get((RTDL, 0), 0) == 0


def seen(step: object) -> Sequence[SeenIds]:
    if isinstance(step, ActStep):
        return (step._started, step._asked)
    return (step._seen,) if isinstance(step, DedupeStep) else ()


def test_the_idempotency_horizon_of_the_run_is_that_of_every_lane() -> None:
    given = config().idempotency_horizon.model_copy(update={"days": 3, "rows": 123_456})
    run = config().model_copy(update={"idempotency_horizon": given})
    tables = [
        table
        for spec in (RTDL_LANE, ACT)
        for found in wired(fold_machine_of(spec, run, partition_counts(1), code=CODE))
        for table in seen(found.step)
    ]
    assert [(t.horizon_us, t.max_rows, t.min_rows) for t in tables] == [(3 * 86_400_000_000, 123_456, RESENT_ROWS_MAX)] * 3


def merge_of(spec: LaneSpec, ordering: str) -> Merge:
    run = config().model_copy(update={"ordering": ordering})
    return fold_machine_of(spec, run, partition_counts(1), code=CODE)._input._merge


@pytest.mark.parametrize("ordering", ["event_time", "arrival"])
def test_the_ordering_of_the_run_is_that_of_the_decision_lane_and_actions_come_as_they_come(ordering: str) -> None:
    assert (merge_of(RTDL_LANE, ordering)._ordering, merge_of(ACT, ordering)._ordering) == (ordering, "arrival")


def test_topics_of_equal_times_fold_in_the_order_of_their_ranks() -> None:
    merge = merge_of(RTDL_LANE, "event_time")
    assert dict(zip(merge.handles, merge._rank.tolist(), strict=True)) == {CONTROL: 0, POSTURE: 0, LABELS: 1, CONTEXT: 2, TRAFFIC: 3}


@pytest.mark.parametrize("change", [{"row.colour": np.zeros(1, np.int8)}, {"-": "row.label"}])
def test_a_journal_record_of_another_layout_is_refused(change: dict[str, Any]) -> None:
    one = fold_machine_of(RTDL_LANE, config().model_copy(update={"ordering": "arrival"}), partition_counts(1), code=CODE)
    one.unemitted()
    one.receive(chunk(TRAFFIC, [payment("a", T0_US)]))
    entry = one.next_entry(1)
    assert entry is not None
    record = JournalRecord.from_bytes(entry.value)
    assert record.kind == BATCH
    columns = {name: column for name, column in record.columns.items() if name != change.get("-")}
    columns |= {name: column for name, column in change.items() if name != "-"}
    with pytest.raises(Stop, match="begun by another version of assay") as refused:
        one.apply(replace(record, block=block_of(columns)).to_bytes())
    assert refused.value.reason is Reason.LAYOUT_UNSUPPORTED
