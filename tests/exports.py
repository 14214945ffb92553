"""Exports of runs in memory, and what a notebook reads of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from simulated_worlds import World, config, run, small_world, troubled_world
from snapshot_stores import PLACE, store

from assay.agents.lane import LaneMachine
from assay.agents.specs import journal_topic
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.export.decisions import Exported, export
from assay.app.export.folder import ExportFolder, Write
from assay.app.export.payments import Payments
from assay.app.journal.reading import HeldJournal, StoredRecord
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.verify import recompute
from assay.app.snapshots.store import SnapshotStore
from assay.app.stores.durable import replace_file
from assay.codecs.single_object import unpack
from assay.tables.feature_plan import compile_plan

PLAN = compile_plan(config().features)
IDENTITY = {"run": "one", "config": "c"}


class KeptJournal(HeldJournal):
    """A journal of these records, from `first` on, as it is when `end` of them are written."""

    def __init__(self, values: tuple[bytes, ...], root: Path, end: int | None = None, first: int = 0) -> None:
        self.lane, self.topic, self.first = LaneId("rtdl", 0), PLACE[0], first
        self.end = len(values) if end is None else end
        self.run_config_digest = config().digest
        self._values, self._root = values, root
        self.read_from: list[int] = []

    def entries(self, first: int) -> Iterator[StoredRecord]:
        assert first >= self.first
        self.read_from.append(first)
        yield from (StoredRecord(offset, self._values[offset]) for offset in range(first, self.end))

    def new_lane(self) -> LaneMachine:
        return fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1))

    def snapshots(self) -> SnapshotStore:
        return store(self._root)


def journal_of(world: World, rows_max: int = 7) -> tuple[bytes, ...]:
    """The journal of an undisturbed run over a world."""
    return tuple(run(world, rows_max=rows_max).log.values(journal_topic(TOPOLOGY.lane("rtdl"))))


@cache
def values(*, troubled: bool = False) -> tuple[bytes, ...]:
    """The journal of a small world, or of one whose producers err."""
    return journal_of(troubled_world(3) if troubled else small_world(payments=60))


class Nobody:
    """Nobody knows the payments behind decisions."""

    def of(self, decisions: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(
            dict.fromkeys(("source_id", "kind"), [None] * len(decisions)), schema_overrides=dict.fromkeys(("source_id", "kind"), pl.String)
        )


def exported(
    directory: Path,
    journal: HeldJournal,
    part_rows: int = 20,
    write: Write = replace_file,
    payments: Payments | None = None,
    *,
    from_kept: bool = False,
) -> Exported:
    return export(journal, PLAN, ExportFolder(directory, IDENTITY, write), payments or Nobody(), part_rows, from_kept=from_kept)


def rows(directory: Path, kind: str = "decisions") -> pl.DataFrame:
    """What a notebook reads."""
    return pl.read_parquet(directory / kind / "*.parquet")


def replayed(journal: tuple[bytes, ...]) -> list[dict[str, Any]]:
    """Every decision of a replay, read one by one by another Avro library."""
    return [unpack(value or b"")[1] for batch in recompute(config(), journal, 1) for value in batch.tolist()]


def as_row(decision: dict[str, Any]) -> dict[str, Any]:
    """The row that a decision must have."""
    source, values = decision["source_event"], decision["features"]
    return {
        **{name: source[name] for name in ("event_id", "event_type", "ts_utc")},
        **dict.fromkeys(("source_id", "kind")),
        **{name: decision[name] for name in ("amount_minor", "currency", "outcome", "score", "reasons", "decided_at_utc")},
        "policy_id": decision["policy"]["policy_id"],
        "policy_revision": decision["policy"]["revision"],
        "policy_digest": decision["policy"]["content_digest"].hex(),
        "features_document": decision["feature_set"]["policy_id"],
        "features_revision": decision["feature_set"]["revision"],
        "posture": decision["posture"]["mode"],
        "decision_id": decision["decision_id"].hex(),
        **{f"source_{name}": source[name] for name in ("topic", "partition", "offset")},
        "journal_sequence": decision["basis"]["sequence"],
        "journal_row": decision["row"],
        **{f"entity_{name}": decision["entities"].get(name) for name in PLAN.entities},
        **{f"feature_{name}": value for name, value in zip(PLAN.long_names, values["longs"], strict=True)},
        **{f"feature_{name}": value for name, value in zip(PLAN.double_names, values["doubles"], strict=True)},
    }


def in_numbers(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with their times in microseconds."""
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")).dt.epoch("us")).to_dicts()
