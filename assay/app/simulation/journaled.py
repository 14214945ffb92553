"""What the journals of a run say, read by rules of their own and not by the reader of the lane that is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from assay.agents.step import LaneOutput, Machine
from assay.app.simulation.lanes import SimulatedLane
from assay.app.simulation.simulator import Simulator
from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.journal_record import CLAIM, RESULT, UPGRADE, JournalRecord


class Journaled(NamedTuple):
    """A record that counts, and what follows of it."""

    offset: int
    durable_at: int
    """How many records the log held when this one was in its journal."""
    ranges: Sequence[tuple[str, int, int, int]]
    outputs: Sequence[tuple[str, bytes]]
    effects: Sequence[bytes]
    out_through: int
    """Outputs of records up to this one are out, it says; records that count are numbered from 0 on."""
    answers: bool
    """It holds what the effects of the record before it answered."""


def journaled(simulator: Simulator, lane: SimulatedLane, machine: Machine, folded: Callable[[int, JournalRecord], None]) -> list[Journaled]:
    """Every record of a lane's journal that counts, folded on a machine that knows nothing; `folded` is called after each.

    Raises ValueError where the journal does not hold together.
    """
    if lane.journal is None:
        return list(_segments(simulator, machine))
    return list(_records(simulator, lane.journal, machine, folded))


def counting(journal: Sequence[bytes]) -> Iterator[tuple[int, JournalRecord]]:
    """(offset, record) of the records that count. Raises ValueError where a record is missing.

    A claim counts if it has a new epoch and follows the last record that counts. Any other record counts if it has the
    epoch in force; it must follow then. A writer that had lost the lane has an older epoch, or claimed without effect.
    """
    epoch, sequence = 0, -1
    for offset, value in enumerate(journal):
        record = JournalRecord.from_bytes(value)
        if record.kind in (CLAIM, UPGRADE):
            if record.epoch <= epoch or record.sequence != sequence + 1:
                continue
            epoch = record.epoch
        elif record.epoch < epoch:
            continue
        if record.epoch != epoch or record.sequence != sequence + 1:
            raise ValueError(f"offset {offset}: epoch {record.epoch} sequence {record.sequence} after epoch {epoch} sequence {sequence}")
        sequence = record.sequence
        yield offset, record


def _records(
    simulator: Simulator, tp: tuple[str, int], machine: Machine, folded: Callable[[int, JournalRecord], None]
) -> Iterator[Journaled]:
    journal, arrivals = simulator.log.values(tp[0]), simulator.log.arrivals(tp)
    work = out = -1
    for offset, record in counting(journal):
        work, out = record.sequence if record.ranges or record.columns else work, record.emitted_through
        if out >= record.sequence:
            raise ValueError(f"offset {offset}: sequence {record.sequence} records outputs as out up to {out}")
        outcome = machine.apply(journal[offset])
        folded(offset, record)
        follows = (_outputs(outcome), _effects(outcome), out)
        yield Journaled(offset, arrivals[offset] + 1, record.ranges, *follows, answers=record.kind == RESULT)
    if out < work:
        raise ValueError(f"at rest it records outputs as out up to {out}, and work up to {work}")


def _segments(simulator: Simulator, machine: Machine) -> Iterator[Journaled]:
    for number, key in enumerate(simulator.store.keys(SEGMENTS)):
        value = simulator.store.read(key)
        header, written_at = read_segment(value).header, simulator.store.written_at[key]
        ranges = [(topic, partition, first, last) for topic, partition, first, last in header["ranges"]]
        yield Journaled(number, written_at, ranges, _outputs(machine.apply(value)), (), int(header["emitted_through"]), answers=False)


def _outputs(outcome: LaneOutput) -> list[tuple[str, bytes]]:
    """Without tombstones, which have no bytes to be known by: what they leave is checked as a read model."""
    return [(emission.handle, value) for emission in outcome.emissions for value in emission.values.tolist() if value is not None]


def _effects(outcome: LaneOutput) -> list[bytes]:
    return [key.tobytes() for key in outcome.effects.idempotency_key] if outcome.effects else []
