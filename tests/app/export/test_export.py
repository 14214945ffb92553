"""An export holds the decisions that a replay gives, each once, however many calls it took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from exports import PLAN, KeptJournal, as_row, exported, in_numbers, journal_of, replayed, rows, values
from polars.testing import assert_frame_equal
from simulated_worlds import small_world
from snapshot_stores import journal as small_journal
from snapshot_stores import snapshot

from assay.app.export.frames import ids_of
from assay.codecs.columns import Ragged, Strings
from assay.codecs.journal_record import ROW, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.instants import parse
from assay.contracts.reasons import Reason
from assay.tables.row_kinds import LABEL


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
    world = small_world(payments=60)
    twice = [event for event in world.events for _ in range(2 if event.handle == "FP_BUS_LABELS_EVENTS_V1" else 1)]
    journal = journal_of(world._replace(events=twice), 1)
    for end in range(0, len(journal) + 5, 5):
        exported(tmp_path / "out", KeptJournal(journal, tmp_path, min(end, len(journal))))
    labels = rows(tmp_path / "out", "labels")["label_event_id"]
    assert labels.is_unique().all()
    assert len(labels) * 2 == sum(event.handle == "FP_BUS_LABELS_EVENTS_V1" for event in twice)


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


def test_a_new_folder_begins_where_a_truncated_journal_can_still_be_folded_if_asked(tmp_path: Path) -> None:
    journal, out = small_journal("rtdl"), tmp_path / "out"
    exported(tmp_path / "whole", KeptJournal(journal, tmp_path / "none"), 1)
    for count in (9, 13):
        snapshot(tmp_path, "rtdl", count)
    with pytest.raises(Stop, match="JOURNAL_OUT_OF_REACH") as refused:
        exported(tmp_path / "other", KeptJournal(journal, tmp_path, first=9), 1)
    assert "--from-kept" in refused.value.remedy
    held = KeptJournal(journal, tmp_path, 15, first=9)
    told = exported(out, held, 1, from_kept=True)
    assert (told.first, held.read_from) == (9, [9])
    exported(out, KeptJournal(journal, tmp_path, first=9), 1, from_kept=True)
    whole = rows(tmp_path / "whole")
    expected = whole.filter(pl.col("journal_sequence") >= rows(out)["journal_sequence"][0])
    assert_frame_equal(rows(out), expected)
    assert 0 < expected.height < whole.height


def test_a_journal_without_a_usable_snapshot_is_not_begun_in_its_middle(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="JOURNAL_OUT_OF_REACH"):
        exported(tmp_path / "out", KeptJournal(small_journal("rtdl"), tmp_path, first=9), 1, from_kept=True)
    assert not (tmp_path / "out" / "export.json").exists()


def test_records_of_another_policy_are_refused_and_those_of_other_code_are_counted(tmp_path: Path) -> None:
    records = [JournalRecord.from_bytes(value) for value in values()]
    of_other_code = [replace(record, code_digest=b"\1" * 32) for record in records[:5]]
    journal = tuple(record.to_bytes() for record in (*of_other_code, *records[5:]))
    assert exported(tmp_path / "out", KeptJournal(journal, tmp_path)).other_code == 5
    of_another_policy = (*values()[:5], replace(records[5], run_config_digest=b"\1" * 32).to_bytes())
    with pytest.raises(Stop) as refused:
        exported(tmp_path / "other", KeptJournal(of_another_policy, tmp_path))
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH


def test_times_are_instants_in_utc(tmp_path: Path) -> None:
    exported(tmp_path / "out", KeptJournal(values(), tmp_path))
    frame = rows(tmp_path / "out")
    assert (frame.schema["ts_utc"], frame.schema["decided_at_utc"]) == (pl.Datetime("us", "UTC"), pl.Datetime("us", "UTC"))
    first = replayed(values())[0]["source_event"]["ts_utc"]
    assert parse(frame["ts_utc"].dt.strftime("%Y-%m-%dT%H:%M:%S.%6fZ")[0]) == first


@pytest.mark.parametrize("name", ["ip", "ipx", "x"])
def test_ids_are_those_of_the_whole_name(name: str) -> None:
    """Not of a name that begins alike; a map without the name has none."""
    maps = [{"ipx": "one", "ip": "two"}, {}, {"ipx": "three"}, {"ip": "", "x": "Ж"}]
    items = [item for one in maps for item in one.items()]
    offsets = np.cumsum([0, *map(len, maps)])
    entities = Ragged(offsets, {"key": Strings.of([key for key, _ in items]), "value": Strings.of([value for _, value in items])})
    assert ids_of(entities, name, len(maps)).text() == [one.get(name) for one in maps]
