"""The journal of a run folded by two lanes side by side: that of the run's policy and that of another one.

Both are the lane that `assay replay` folds with. They run in threads: kernels release the interpreter's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

from assay.agents.assembly import input_columns
from assay.agents.journal import other_policy
from assay.agents.lane import LaneMachine
from assay.agents.specs import LaneSpec, Role
from assay.agents.step import LaneOutput, TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.backtest.translation import MissingColumns, translated, with_missing
from assay.app.bus.prefetch import prefetched
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.run.directory import RunConfig
from assay.codecs.columns import Columns, Strings
from assay.codecs.journal_record import ROW, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.handles import RTDL, TRAFFIC

LANE: LaneSpec = TOPOLOGY.with_role(Role.DECIDE)


class Side(NamedTuple):
    """What one policy makes of a journal record: its decisions, and payments it refused by reason."""

    decided: Strings | None
    refused: Counter[str]


class Both(NamedTuple):
    """One journal record under both policies. `rows` are its journaled columns and those that were missing."""

    rows: Columns
    ours: Side
    theirs: Side


class _Folded(NamedTuple):
    record: JournalRecord
    value: bytes
    side: Side
    position: Mapping[TopicPartition, int]
    watermark_us: int


def lane_columns(config: RunConfig) -> tuple[str, ...]:
    """The columns that the journal of a run with this config holds."""
    return input_columns(LANE, tuple(config.features["entities"]))


def folded(
    config: RunConfig, other: RunConfig, journal: Iterable[bytes], partitions: int | None, missing: MissingColumns | None
) -> Generator[Both]:
    """Fold a journal under the run's config and under another one, record by record.

    Raises Stop(RUN_CONFIG_MISMATCH) for a record that was not written under the run's config, and as `missing` does.
    """
    with (
        closing(prefetched(_first(config, journal, partitions))) as ours,
        closing(prefetched(_second(other, ours, partitions, missing))) as both,
    ):
        yield from both


def _first(config: RunConfig, journal: Iterable[bytes], partitions: int | None) -> Iterator[_Folded]:
    lane = fold_machine_of(LANE, config, partition_counts(partitions))
    for value in journal:
        record, before = JournalRecord.from_bytes(value), lane.applied.sequence
        output = _applied(lane, value, record.sequence)
        if lane.applied.sequence == before:
            continue  # of a writer that had lost the lane: it does not count
        if record.run_config_digest != config.digest:
            raise other_policy(LANE.name, record, config.digest)
        yield _Folded(record, value, _side(output), lane.position(), lane.applied.watermark_us)


def _second(config: RunConfig, first: Iterable[_Folded], partitions: int | None, missing: MissingColumns | None) -> Iterator[Both]:
    lane, columns = fold_machine_of(LANE, config, partition_counts(partitions)), lane_columns(config)
    for record, value, ours, position, watermark_us in first:
        rows = with_missing(record.block.within(ROW), missing)
        output = _applied(lane, translated(record, value, rows, columns), record.sequence)
        if missing is not None:
            missing.settle(position, watermark_us)
        yield Both(rows, ours, _side(output))


def _applied(lane: LaneMachine, value: bytes, sequence: int) -> LaneOutput:
    output = lane.apply(value)
    lane.emitted(sequence)
    return output


def _side(output: LaneOutput) -> Side:
    refused: Counter[str] = Counter()
    for emission in output.emissions:
        if emission.handle == LANE.dead_letter:
            letters = [unpack(value or b"")[1] for value in emission.values.tolist()]
            refused.update(str(letter["reason"]) for letter in letters if letter["topic"] == TRAFFIC)
    decided = next((emission.values for emission in output.emissions if emission.handle == RTDL), None)
    return Side(decided, refused)
