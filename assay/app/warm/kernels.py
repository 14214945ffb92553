"""Compile every kernel before it is needed: a small world goes through all lanes in memory, once per shipped policy.

A worker must not compile when it starts. numba keeps machine code on disk, per processor; `assay warm` fills that store.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numba.core.dispatcher import Dispatcher

from assay.agents.specs import JournalTopic, Role, journal_topic
from assay.agents.step import Chunk
from assay.agents.topology import TOPOLOGY
from assay.app.effects.recorder import Recorder
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.compare import Comparison, compare, decisions_of
from assay.app.replay.verify import recompute
from assay.app.run.directory import RunConfig
from assay.app.simulation.lanes import simulated_lanes
from assay.app.simulation.log import ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.warm.views import sort_a_view
from assay.app.warm.world import PAYMENTS, config_of, world
from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.columns import Strings
from assay.codecs.kernel import is_compiled
from assay.codecs.record_batch import record_batches, sealed
from assay.codecs.record_batch_read import read_batches
from assay.codecs.record_headers import framed_headers
from assay.codecs.table_state import blocks, read_state
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan
from assay.tables.receipt_names import ID, names_of, probe_of

#: compiled only where a processor has no instruction for it
OTHER_MACHINES = {"assay.codecs.crc32c_kernel._step_by_tables"}
POLICIES = ("handbook", "transfers", "workload_w")
#: two, because a single partition needs no partitioner
PARTITIONS = partition_counts(2)
JOURNAL = journal_topic(TOPOLOGY.with_role(Role.DECIDE))


def warm() -> int:
    """Run the small world under every policy and replay it; the number of kernels that are compiled now.

    Raises Stop(REPLAY_DIFFERENCE) when a replay does not give the same decisions: then nothing else would be right either.
    """
    for policy in POLICIES:
        config = config_of(policy)
        log = world(config, PARTITIONS)
        _through_all_lanes(config, log)
        _restart(config, log)
        _as_it_arrives(config, log)
        check(_replay(config, log), policy)
    sort_a_view()
    _look_up_receipts()
    return sum(1 for kernel in kernels().values() if kernel.signatures)


def load(config: RunConfig) -> None:
    """Load what a worker of this run will call, so that its first payment is as fast as the others: a small world goes through its lanes.

    Everything happens in memory. numba reads compiled code from disk at the first call of each kernel, which takes seconds in all.
    """
    log = world(config, PARTITIONS)
    _through_all_lanes(config, log)
    _as_it_arrives(config, log)
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, PARTITIONS)
    for value in log.values(JOURNAL):
        lane.recover(value)
    decisions = lane.table("decisions")
    if decisions is not None:
        decisions.row("p1")


def cold() -> list[str]:
    """Names of the kernels that would be compiled at their first call."""
    return [name for name, kernel in kernels().items() if name not in OTHER_MACHINES and not is_compiled(kernel)]


def kernels() -> dict[str, Dispatcher]:
    """Every compiled function of assay that has a place on disk and is loaded now, by qualified name."""
    found: dict[str, Dispatcher] = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("assay."):
            members = (member for member in list(vars(module).values()) if isinstance(member, Dispatcher))
            found |= {f"{member.py_func.__module__}.{member.py_func.__name__}": member for member in members if member.stats.cache_path}
    return {name: found[name] for name in sorted(found)}


def _through_all_lanes(config: RunConfig, log: ModelLog) -> None:
    with tempfile.TemporaryDirectory() as room:
        recorder = Recorder(Path(room) / "recorded.log")
        simulator = Simulator(simulated_lanes(config, PARTITIONS, recorder.record), log)
        simulator.run()
    _frame(simulator)


def _look_up_receipts() -> None:
    """What a gate does with a segment of receipts, and a look-up with a name."""
    line = b'{"receipt_id":"r","decision":"ADMIT","event_id":"e","eb_ref":{"topic":"t","partition":0,"offset":"0"}}\n'
    names_of(line)
    probe_of(b"e", ID)


def _frame(simulator: Simulator) -> None:
    """What a producer and a consumer do with a lane's output, and a reader of the audit chain with its segments."""
    values = Strings.of(simulator.log.values(RTDL))
    for batch in record_batches(values, values, 0, 100_000, framed_headers(values)):
        read_batches(sealed(batch, 0, 0, 0), 0)
    for key in simulator.store.keys(SEGMENTS):
        read_segment(simulator.store.read(key))


def _restart(config: RunConfig, log: ModelLog) -> None:
    """What a standby does: fold a journal, start from the state as a snapshot holds it, and show a row of it."""
    for spec in TOPOLOGY.lanes:
        if isinstance(spec.journal, JournalTopic):
            lane = fold_machine_of(spec, config, PARTITIONS)
            for value in log.values(spec.journal.handle):
                lane.recover(value)
            lane.restore({name: read_state(b"".join(blocks(state))) for name, state in lane.state().items()})
            features = lane.table("features")
            if features is not None:
                features.row(f"{config.features['entities'][0]}:nobody")


def _as_it_arrives(config: RunConfig, log: ModelLog) -> None:
    """What a lane does under `arrival` alone: labels that are read before their payments wait for them."""
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config.model_copy(update={"ordering": "arrival"}), PARTITIONS)
    lane.apply(lane.claim_entry(0).value)
    for handle, partition in sorted(log.tps(), key=lambda tp: (tp[0] == TRAFFIC, tp)):
        if (handle, partition) in lane.position():
            values = [record.value for record in log.read((handle, partition), 0, log.end((handle, partition)))]
            lane.receive(Chunk(handle, partition, np.arange(len(values), dtype=np.int64), Strings.of(values)))
            if (entry := lane.next_entry(0)) is not None:
                lane.apply(entry.value)


def _replay(config: RunConfig, log: ModelLog) -> Comparison:
    """Everything `assay replay --verify` computes, from the model log."""

    def on_topic() -> Iterator[Strings]:
        yield decisions_of(Strings.of(log.values(RTDL)))

    journal = log.values(JOURNAL)
    return compare(lambda: recompute(config, journal, 2), on_topic, compile_plan(config.features))


def check(result: Comparison, policy: str) -> None:
    """Raises Stop(REPLAY_DIFFERENCE) when not every payment was decided and replayed the same."""
    if result.differing or result.recomputed != PAYMENTS:
        what = f"the small world under policy {policy}: {result.recomputed} decisions, {result.differing} of them different in the replay"
        raise Stop(Reason.REPLAY_DIFFERENCE, what, remedy="Remove the __pycache__ folders and try again; then report it.")
