"""A sealed world as the gate would write it to the bus: the product's own framing, examination, labels and marks, without servers."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scenario_runs import run_scenario
from sent_sequences import payments_of
from small_runs import KeptRecords, config_of

from assay.agents.topology import TOPOLOGY
from assay.app.bus.publisher import OutboundRecord
from assay.app.demo.new_run import extra_entities
from assay.app.effects.recorder import Recorder
from assay.app.gate.admission import Admissible, Examiner
from assay.app.gate.border import items_of
from assay.app.gate.policy import shipped_admission_policy
from assay.app.gate.records import RecordFramer
from assay.app.gate.run_names import RunNames
from assay.app.labels.known_labels import LabelSequence
from assay.app.labels.label_envelopes import LabelFramer
from assay.app.labels.world_labels import labels_of_world
from assay.app.lane.assembly import partition_counts
from assay.app.oracle.generator import generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.policy.documents import document
from assay.app.run.directory import RunConfig
from assay.app.simulation.faults import Planted
from assay.app.simulation.lanes import simulated_lane
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.pacing import END_OF_TIME
from assay.app.streamer.sequence import EventSequence
from assay.codecs.single_object import pack
from assay.contracts.limits import BODY_BYTES_MAX

NOW_US = 1_893_456_000_000_000
JOURNAL = "FP_JOURNAL_RTDL_V1"
TOPICS = shipped_admission_policy().topics


class GatedWorld(NamedTuple):
    """A run, its world, and every record of its input topics in the order the gate writes them."""

    config: RunConfig
    world: SealedWorld
    partitions: int
    records: list[tuple[str, OutboundRecord]]


def generated_world(folder: Path, shape: str, rows: int, seed: int) -> SealedWorld:
    """Generate `folder`/in.parquet of a shape and seal it in `folder`/store."""
    folder.mkdir(parents=True, exist_ok=True)
    generate(shape, rows, seed, folder / "in.parquet")
    return import_world(folder / "in.parquet", load_mapping(shape), DirectoryStore(folder / "store"), NOW_US)


def config_over(world: SealedWorld, policy: str, **changes: Any) -> RunConfig:
    """A run of a world under a shipped policy."""
    features = document(policy, "features")
    values = {"run_id": "5" * 32, "features": features, "policy": document(policy, "rules")}
    values["extra_entities"] = extra_entities(world.manifest, features)
    return config_of(world.manifest, **{**values, **changes})


def gated(world: SealedWorld, config: RunConfig, partitions: int = 3, rows_per_mark: int = 1_500) -> GatedWorld:
    """READY and posture, then the world in event-time order with a mark of every class after each batch."""
    bus = KeptRecords()
    run_scenario(config, world.store, bus, NOW_US)
    counts = partition_counts(partitions)
    records = [*bus.published, *_streamed(world, config, counts, rows_per_mark)]
    return GatedWorld(config, world, partitions, records)


def _streamed(world: SealedWorld, config: RunConfig, counts: Mapping[str, int], rows_per_mark: int) -> Iterator[tuple[str, OutboundRecord]]:
    examiner = Examiner(shipped_admission_policy(), {**config.pins.as_json(), "run_id": config.run_id}, RunNames.of(config))
    payments = payments_of(world, config)
    labels = LabelSequence(labels_of_world(world, config.label_delay_us), LabelFramer(config.pins, config.run_id))
    rows = merged(labels, payments)
    for first in range(0, len(rows), rows_per_mark):
        given = [raw for _, raw in rows[first : first + rows_per_mark]]
        examined = [examiner.examine(raw, NOW_US, 0) for raw in given]
        admitted = [item for item in examined if isinstance(item, Admissible)]
        assert len(admitted) == len(examined), "the gate refuses a row of the world"
        yield from _published(admitted, config, counts)
        following = rows[first + rows_per_mark : first + rows_per_mark + 1]
        yield from _marks(config, counts, following[0][0] if following else labels.end_us, final=not following)


def merged(*sequences: EventSequence) -> list[tuple[int, bytes]]:
    """(time, envelope) of every row of some sequences, by time; at one time in the order of the sequences, as the lanes fold them."""
    rows = []
    for sequence in sequences:
        position = 0
        while (batch := sequence.take(position, 2_000, END_OF_TIME, BODY_BYTES_MAX)) is not None:
            for at, raw in enumerate(items_of(batch.body, 2_000), position):
                ts_us = sequence.next_us(at)
                assert ts_us is not None
                rows.append((ts_us, raw))
            position = batch.end
    return sorted(rows, key=lambda row: row[0])


def _published(admitted: Sequence[Admissible], config: RunConfig, counts: Mapping[str, int]) -> Iterator[tuple[str, OutboundRecord]]:
    by_class: dict[str, list[Admissible]] = defaultdict(list)
    framer = RecordFramer(config.pins, config.run_id)
    for item in admitted:
        by_class[item.event_class].append(item)
    for name, items in by_class.items():
        handle = TOPICS[name]
        made = framer.framed(name, items, counts[handle])
        for key, value, tp in zip(made.keys, made.values, made.partitions, strict=True):
            yield handle, OutboundRecord(key, value, tp)


def _marks(config: RunConfig, counts: Mapping[str, int], ts_us: int, *, final: bool) -> Iterator[tuple[str, OutboundRecord]]:
    key = config.platform_run_id.encode()
    for handle in TOPICS.values():
        for number in range(counts[handle]):
            fields = {"pins": config.pins.as_avro(), "topic": handle, "partition": number, "ts_utc": ts_us, "final": final}
            yield handle, OutboundRecord(key, pack("mark", fields), number)


def logged(given: GatedWorld) -> ModelLog:
    """The records in a model log."""
    log = ModelLog()
    for number, (handle, record) in enumerate(given.records):
        log.append((handle, record.partition), LoggedRecord(record.key, record.value, NOW_US + number))
    return log


def simulated(given: GatedWorld, faults: Sequence[Planted] = (), seed: int = 0, *, lanes: Sequence[str] = ("rtdl",)) -> Simulator:
    """The lanes run over the records until nothing moves."""
    with tempfile.TemporaryDirectory() as room:
        recorder = Recorder(Path(room) / "recorded.log")
        counts = partition_counts(given.partitions)
        chosen = [simulated_lane(TOPOLOGY.lane(name), given.config, counts, recorder.record) for name in lanes]
        simulator = Simulator(chosen, logged(given), seed, faults)
        simulator.run()
    return simulator


def slices(given: GatedWorld) -> list[list[tuple[str, OutboundRecord]]]:
    """The records in pieces that each end with their marks, so each can be decided before the next is there."""
    found: list[list[tuple[str, OutboundRecord]]] = [[]]
    ended = False
    for handle, record in given.records:
        is_mark = handle in TOPICS.values() and record.key == given.config.platform_run_id.encode()
        if ended and not is_mark:
            found.append([])
        ended = is_mark
        found[-1].append((handle, record))
    return found
