"""An export holds the decisions that a replay gives, each once, however often and wherever it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from simulated_worlds import Finished, config, run, small_world, troubled_world
from snapshot_stores import PLACE, snapshot, store
from snapshot_stores import journal as small_journal

from assay.agents.lane import LaneMachine
from assay.agents.specs import journal_topic
from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.app.export.decisions import Exported, export
from assay.app.export.folder import ExportFolder, Write
from assay.app.journal.reading import HeldJournal, StoredRecord
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.verify import recompute
from assay.app.snapshots.store import SnapshotStore
from assay.app.stores.durable import replace_file
from assay.codecs.journal_record import ROW, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.instants import parse
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan
from assay.tables.row_kinds import LABEL

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


@cache
def finished(*, troubled: bool = False) -> Finished:
    return run(troubled_world(3)) if troubled else run(small_world(payments=60))


def values(*, troubled: bool = False) -> tuple[bytes, ...]:
    return tuple(finished(troubled=troubled).log.values(journal_topic(TOPOLOGY.lane("rtdl"))))


def exported(directory: Path, journal: HeldJournal, part_rows: int = 20, write: Write = replace_file) -> Exported:
    return export(journal, PLAN, ExportFolder(directory, IDENTITY, write), part_rows)


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


@pytest.mark.parametrize("troubled", [False, True])
def test_the_rows_are_the_decisions_of_a_replay(tmp_path: Path, *, troubled: bool) -> None:
    journal = values(troubled=troubled)
    told = exported(tmp_path / "out", KeptJournal(journal, tmp_path))
    expected = replayed(journal)
    assert in_numbers(rows(tmp_path / "out")) == [as_row(decision) for decision in expected]
    assert (told.decisions, told.other_code) == (len(expected), 0)
    assert len(list((tmp_path / "out" / "decisions").iterdir())) > 1, "several parts"


def test_a_feature_of_any_name_has_a_column_of_its_own(tmp_path: Path) -> None:
    """Columns of entities and features cannot be those of another thing."""
    exported(tmp_path / "out", KeptJournal(values(), tmp_path))
    columns = rows(tmp_path / "out").columns
    assert [name for name in columns if name.startswith("entity_")] == [f"entity_{name}" for name in PLAN.entities]
    assert [name for name in columns if name.startswith("feature_")] == [f"feature_{one.name}" for one in PLAN.document.features]


def test_labels_stand_apart_with_the_time_from_which_they_are_known(tmp_path: Path) -> None:
    world, out = small_world(payments=60), tmp_path / "out"
    exported(out, KeptJournal(values(), tmp_path))
    given = [unpack(event.value)[1] for event in world.events if event.handle == "FP_BUS_LABELS_EVENTS_V1"]
    expected = {(one["event_id"], one["subject_event_id"], one["label"], one["ts_utc"]) for one in given}
    labels = in_numbers(rows(out, "labels"))
    assert {(row["label_event_id"], row["event_id"], row["label_told_later"], row["label_known_from_utc"]) for row in labels} == expected
    assert len(labels) == len(expected) > 10
    assert not [name for name in rows(out).columns if "label" in name], "nothing of a label is beside a decision"
    joined = rows(out).join(rows(out, "labels"), on="event_id")
    assert joined.filter(pl.col("label_known_from_utc") <= pl.col("ts_utc")).is_empty()
    assert joined["label_known_from_utc"].min() > rows(out)["ts_utc"].min()  # type: ignore[operator]  # both are times


def test_what_a_writer_journaled_that_had_lost_the_lane_is_not_exported(tmp_path: Path) -> None:
    records = [JournalRecord.from_bytes(value) for value in values()]
    of_others = (JournalRecord.from_bytes(value) for value in values(troubled=True))
    lost = next(record for record in of_others if record.rows and LABEL in np.asarray(record.block.within(ROW)["kind"]))
    claim = replace(records[0], epoch=2, sequence=records[8].sequence)
    behind = [replace(record, epoch=2, sequence=record.sequence + 1) for record in records[8:]]
    late = replace(lost, epoch=1, sequence=claim.sequence)
    journal = tuple(record.to_bytes() for record in (*records[:8], claim, late, *behind))
    exported(tmp_path / "out", KeptJournal(journal, tmp_path), 1)
    assert in_numbers(rows(tmp_path / "out")) == [as_row(decision) for decision in replayed(journal)]
    exported(tmp_path / "whole", KeptJournal(values(), tmp_path))
    labels, expected = (rows(tmp_path / name, "labels").drop("journal_sequence") for name in ("out", "whole"))
    assert_frame_equal(labels, expected)


def test_a_label_that_was_sent_again_is_exported_once_also_by_a_later_export(tmp_path: Path) -> None:
    journal = values()
    exported(tmp_path / "out", KeptJournal(journal, tmp_path))
    folder = ExportFolder(tmp_path / "out", IDENTITY)
    assert folder.known_labels()["label_event_id"].is_unique().all()
    assert set(folder.known_labels()["label_event_id"]) == set(rows(tmp_path / "out", "labels")["label_event_id"])
    troubled = tmp_path / "troubled"
    for end in range(0, len(values(troubled=True)) + 1, 5):
        exported(troubled, KeptJournal(values(troubled=True), tmp_path, end))
    assert rows(troubled, "labels")["label_event_id"].is_unique().all()


@pytest.mark.parametrize("step", [3, 1_000])
def test_an_export_in_several_calls_adds_what_is_new_and_gives_the_same_rows(tmp_path: Path, step: int) -> None:
    journal = values()
    exported(tmp_path / "at once", KeptJournal(journal, tmp_path))
    added = [exported(tmp_path / "out", KeptJournal(journal, tmp_path, end)) for end in [*range(0, len(journal), step), len(journal)]]
    again = exported(tmp_path / "out", KeptJournal(journal, tmp_path))
    assert (again.decisions, again.labels) == (0, 0)
    for kind in ("decisions", "labels"):
        assert_frame_equal(rows(tmp_path / "out", kind), rows(tmp_path / "at once", kind))
    assert sum(one.decisions for one in added) == rows(tmp_path / "out").height


def test_a_call_without_news_touches_no_file(tmp_path: Path) -> None:
    journal = KeptJournal(values(), tmp_path)
    exported(tmp_path / "out", journal)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    assert exported(tmp_path / "out", journal).decisions == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")} == before


class Killed(Exception):
    """The process ends here."""


class EndsAt:
    """A writer that ends after so many writes, with the draft of the next file beside its place."""

    def __init__(self, writes: int, *, renamed: bool) -> None:
        self.left, self.renamed = writes, renamed

    def __call__(self, path: Path, data: bytes) -> None:
        if not self.left:
            (path.parent / f".{path.name}.0123456789abcdef").write_bytes(data[: len(data) // 2])
            if self.renamed:
                replace_file(path, data)
            raise Killed
        self.left -= 1
        replace_file(path, data)


@pytest.mark.parametrize("renamed", [False, True], ids=["before the rename", "after it"])
@pytest.mark.parametrize("later", [0, 7], ids=["same journal", "the journal went on"])
def test_an_export_that_was_interrupted_anywhere_is_completed_by_the_next_one(tmp_path: Path, later: int, *, renamed: bool) -> None:
    journal = values()
    exported(tmp_path / "whole", KeptJournal(journal, tmp_path))
    writes, ended = 0, False
    while not ended:
        out = tmp_path / f"ended after {writes}"
        try:
            exported(out, KeptJournal(journal, tmp_path, len(journal) - later), write=EndsAt(writes, renamed=renamed))
            ended = True
        except Killed:
            writes += 1
        exported(out, KeptJournal(journal, tmp_path))
        for kind in ("decisions", "labels"):
            assert_frame_equal(rows(out, kind), rows(tmp_path / "whole", kind))
            assert not list((out / kind).glob(".*"))
    assert writes > 6


def test_an_export_goes_on_from_the_nearest_snapshot_and_from_none_ahead_of_it(tmp_path: Path) -> None:
    journal, out = small_journal("rtdl"), tmp_path / "out"
    exported(tmp_path / "whole", KeptJournal(journal, tmp_path / "none"))
    for count in (4, 9, 13):
        snapshot(tmp_path, "rtdl", count)
    exported(out, KeptJournal(journal, tmp_path / "none", 10), 1)
    held = KeptJournal(journal, tmp_path, first=6)
    exported(out, held, 1)
    assert held.read_from == [9]
    assert_frame_equal(rows(out), rows(tmp_path / "whole"))


def test_a_journal_that_was_truncated_beyond_the_export_is_refused(tmp_path: Path) -> None:
    snapshot(tmp_path, "rtdl", 9)
    for journal in (KeptJournal(small_journal("rtdl"), tmp_path, first=6), KeptJournal(small_journal("rtdl"), tmp_path, 2)):
        with pytest.raises(Stop) as refused:
            exported(tmp_path / "out", journal, 1)
        assert refused.value.reason is Reason.JOURNAL_OUT_OF_REACH
        exported(tmp_path / "out", KeptJournal(small_journal("rtdl"), tmp_path / "none"), 1)


def _of_another_run(out: Path) -> None:
    (out / "export.json").write_text('{"run": "two", "config": "c"}')


def _unreadable(out: Path) -> None:
    (out / "export.json").write_text("{")


def _no_identity(out: Path) -> None:
    (out / "export.json").unlink()


def _a_part_is_gone(out: Path) -> None:
    min((out / "decisions").iterdir()).unlink()


def _labels_are_gone(out: Path) -> None:
    min((out / "labels").iterdir()).unlink()


UNFIT = {
    "the export of two, this run is one": _of_another_run,
    "export.json cannot be read": _unreadable,
    "it holds decisions and no export.json": _no_identity,
    "are not covered by decisions/": _a_part_is_gone,
    "labels/00000000000000000000-": _labels_are_gone,
}


def test_records_of_another_policy_are_refused_and_those_of_other_code_are_counted(tmp_path: Path) -> None:
    records = [JournalRecord.from_bytes(value) for value in values()]
    of_other_code = [replace(record, code_digest=b"\1" * 32) for record in records[:5]]
    journal = tuple(record.to_bytes() for record in (*of_other_code, *records[5:]))
    assert exported(tmp_path / "out", KeptJournal(journal, tmp_path)).other_code == 5
    of_another_policy = (*values()[:5], replace(records[5], run_config_digest=b"\1" * 32).to_bytes())
    with pytest.raises(Stop) as refused:
        exported(tmp_path / "other", KeptJournal(of_another_policy, tmp_path))
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH


@pytest.mark.parametrize("what", UNFIT)
def test_a_folder_that_is_no_whole_export_of_the_run_is_refused_with_the_fault(tmp_path: Path, what: str) -> None:
    journal = KeptJournal(values(), tmp_path)
    exported(tmp_path / "out", journal)
    UNFIT[what](tmp_path / "out")
    held = set((tmp_path / "out").rglob("*.parquet"))
    with pytest.raises(Stop, match="EXPORT_UNFIT") as refused:
        exported(tmp_path / "out", journal)
    assert what in refused.value.what
    assert set((tmp_path / "out").rglob("*.parquet")) == held, "nothing is taken away"


def test_times_are_instants_in_utc(tmp_path: Path) -> None:
    exported(tmp_path / "out", KeptJournal(values(), tmp_path))
    frame = rows(tmp_path / "out")
    assert (frame.schema["ts_utc"], frame.schema["decided_at_utc"]) == (pl.Datetime("us", "UTC"), pl.Datetime("us", "UTC"))
    first = replayed(values())[0]["source_event"]["ts_utc"]
    assert parse(frame["ts_utc"].dt.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")[0]) == first
