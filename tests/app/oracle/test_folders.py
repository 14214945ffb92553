"""A folder of Parquet files is one file: in the order of its paths, with its partitions as columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_worlds import NOW_US, ROWS, mapping

from assay.app.oracle.importer import import_world
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def written(folder: Path, *partitions: str, **columns: Any) -> Path:
    """The small rows over a file per partition, in their order."""
    frame, each = pl.DataFrame({**ROWS, **columns}), len(ROWS["id"]) // len(partitions)
    for number, partition in enumerate(partitions):
        (folder / partition).mkdir(parents=True)
        frame[number * each : (number + 1) * each].write_parquet(folder / partition / "part.parquet")
    return folder


def imported(folder: Path, **changes: Any) -> SealedWorld:
    return import_world(folder, mapping(**changes), DirectoryStore(folder.parent / "store"), NOW_US)


def attributes_of(world: SealedWorld, name: str) -> list[str | None]:
    return world.stream_part(world.manifest.stream_view[0]).sort("source_id")[f"attribute.{name}"].to_list()


def test_a_refusal_names_the_file_and_its_row(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", "day=0", "day=1", amount=["1", "2", "-3", "4"])
    with pytest.raises(Quarantine) as refusal:
        imported(folder)
    assert refusal.value.where == "column 'amount', row 3 (day=1/part.parquet, row 1)"


def test_a_partition_is_a_column_of_text_and_may_be_null(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", "day=007", "day=__HIVE_DEFAULT_PARTITION__", "day=a%2Fb", "day=x")
    assert attributes_of(imported(folder, attributes=["day"]), "day") == ["007", None, "a/b", "x"]


def test_what_a_writer_leaves_beside_its_files_is_not_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", "day=0", "day=1")
    (folder / "_SUCCESS").touch()
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part.parquet").write_bytes(b"half")
    (folder / ".part.parquet").write_bytes(b"half")
    assert imported(folder).manifest.rows == 4


@pytest.mark.parametrize(
    ("partitions", "reason", "said"),
    [
        (("day=0", "month=1"), Reason.INPUT_FILE_UNREADABLE, "other partitions"),
        (("day=0", "."), Reason.INPUT_FILE_UNREADABLE, "other partitions"),
    ],
)
def test_a_folder_of_several_layouts_is_refused(tmp_path: Path, partitions: tuple[str, str], reason: Reason, said: str) -> None:
    for number, partition in enumerate(partitions):
        (tmp_path / "in" / partition).mkdir(parents=True, exist_ok=True)
        pl.DataFrame(ROWS)[number * 2 :][:2].write_parquet(tmp_path / "in" / partition / "part.parquet")
    with pytest.raises(Quarantine, match=said) as refusal:
        imported(tmp_path / "in")
    assert refusal.value.reason is reason


def test_a_folder_without_files_and_a_file_of_another_shape_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(Quarantine, match="this is a folder") as refusal:
        imported(tmp_path / "in")
    assert refusal.value.reason is Reason.INPUT_FILE_MISSING
    pl.DataFrame(ROWS).write_parquet(tmp_path / "in" / "a.parquet")
    pl.DataFrame(ROWS).drop("who").write_parquet(tmp_path / "in" / "b.parquet")
    with pytest.raises(Quarantine, match="no column 'who'") as refusal:
        imported(tmp_path / "in")
    assert (refusal.value.reason, Path(refusal.value.where).name) == (Reason.INPUT_COLUMN_MISSING, "b.parquet")


def columns_of(folder: Path, column: str, *parts: pl.Series) -> Path:
    """A folder with a file per part, of two rows each."""
    folder.mkdir()
    for number, part in enumerate(parts):
        rows = pl.DataFrame(ROWS)[number * 2 :][:2].with_columns(part.alias(column))
        rows.write_parquet(folder / f"{number}.parquet")
    return folder


def test_the_end_of_a_files_name_may_be_in_capitals(tmp_path: Path) -> None:
    folder = columns_of(tmp_path / "in", "channel", pl.Series(["a", "b"]), pl.Series(["c", "d"]))
    (folder / "1.parquet").rename(folder / "1.PARQUET")
    assert imported(folder).manifest.rows == 4


@pytest.mark.parametrize("name", ["1.parq", "1.pq", "1.csv", "1.csv.gz", "1.JSONL", "000001_0", "1.parquet.bak", "deep/1.parq"])
def test_data_of_a_folder_that_would_not_be_read_is_refused(tmp_path: Path, name: str) -> None:
    folder = columns_of(tmp_path / "in", "channel", pl.Series(["a", "b"]), pl.Series(["c", "d"]))
    (folder / "deep").mkdir()
    (folder / "1.parquet").rename(folder / name)
    with pytest.raises(Quarantine, match="holds other data") as refusal:
        imported(folder)
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_FILE_UNREADABLE, str(folder / name))
    assert ".parquet" in refusal.value.remedy


def test_a_note_beside_the_files_is_no_data(tmp_path: Path) -> None:
    folder = columns_of(tmp_path / "in", "channel", pl.Series(["a", "b"]), pl.Series(["c", "d"]))
    (folder / "README.md").write_text("P", encoding="utf-8")
    assert imported(folder).manifest.rows == 4


def test_a_folder_behind_a_link_is_refused(tmp_path: Path) -> None:
    folder = columns_of(tmp_path / "in", "channel", pl.Series(["a", "b"]))
    columns_of(tmp_path / "other", "channel", pl.Series(["c", "d"]))
    (folder / "more").symlink_to(tmp_path / "other", target_is_directory=True)
    with pytest.raises(Quarantine, match="a link to a folder") as refusal:
        imported(folder)
    assert refusal.value.reason is Reason.INPUT_FILE_UNREADABLE
    (folder / "more").unlink()
    (folder / "1.parquet").symlink_to(tmp_path / "gone.parquet")
    with pytest.raises(Quarantine, match="to nothing"):
        imported(folder)


def test_a_partition_whose_name_begins_with_an_underscore_is_read(tmp_path: Path) -> None:
    assert imported(written(tmp_path / "in", "_day=1", "_day=2")).manifest.rows == 4


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_times_of_several_units_keep_their_microseconds(tmp_path: Path, unit: Any) -> None:
    fine = pl.Series([1_522_540_831_000_999] * 2).cast(pl.Datetime("us", "UTC"))
    other = pl.Series([1_522_540_832_000_000] * 2).cast(pl.Datetime("us", "UTC")).dt.cast_time_unit(unit)
    for number, parts in enumerate([(fine, other), (other, fine)]):
        assert imported(columns_of(tmp_path / str(number), "at", *parts)).manifest.min_ts_us == 1_522_540_831_000_999


@pytest.mark.parametrize(
    ("first", "second", "ids"),
    [
        (pl.Series([1.0, 2.0]), pl.Series(["1", "x"]), ["1", "2", "1", "x"]),
        (pl.Series([123456789012.0, None]), pl.Series(["123456789012", "x"]), ["123456789012", None, "123456789012", "x"]),
        (pl.Series([1, 2]), pl.Series([1.0, float("nan")]), ["1", "2", "1", None]),
        (pl.Series([2**60 + 1, 2]), pl.Series([1.0, None]), [str(2**60 + 1), "2", "1", None]),
        (pl.Series([2**63 + 1, 2], dtype=pl.UInt64), pl.Series([2**62 + 1, 2]), [str(2**63 + 1), "2", str(2**62 + 1), "2"]),
        (pl.Series([1, 2]), pl.Series(["x", "1"]).cast(pl.Categorical), ["1", "2", "x", "1"]),
        (pl.Series([None, None]), pl.Series([1, 2]), [None, None, "1", "2"]),
        (pl.Series([None, None], dtype=pl.String), pl.Series([1, 2]), [None, None, "1", "2"]),
        (pl.Series([2.0, 1.0], dtype=pl.Float32), pl.Series([1.0, 2.0]), ["2", "1", "1", "2"]),
    ],
)
def test_an_id_is_one_whatever_type_its_file_gives_it(tmp_path: Path, first: pl.Series, second: pl.Series, ids: list[str | None]) -> None:
    world = imported(columns_of(tmp_path / "in", "who", first, second))
    assert world.stream_part(world.manifest.stream_view[0]).sort("source_id")["entity.customer"].to_list() == ids


def test_amounts_of_several_types_are_read(tmp_path: Path) -> None:
    for number, parts in enumerate(
        [(pl.Series([1, 2]), pl.Series([0.5, 1.25])), (pl.Series([1, 2]), pl.Series(["0.5", "1.25"]).cast(pl.Decimal(9, 2)))]
    ):
        world = imported(columns_of(tmp_path / str(number), "amount", *parts))
        assert world.stream_part(world.manifest.stream_view[0]).sort("source_id")["amount_minor"].to_list() == [100, 200, 50, 125]


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("amount", pl.Series([1.5, 2.5]), pl.Series(["1", "2"])),
        ("amount", pl.Series([0.1, 0.2], dtype=pl.Float32), pl.Series([0.1, 0.2])),
        ("who", pl.Series([16777216.0, 1.0], dtype=pl.Float32), pl.Series([16777217, 1])),
        ("at", pl.Series([1_700_000_000_123_456_789] * 2), pl.Series([0.5, 1.5])),
        ("at", pl.Series([0, 1]).cast(pl.Datetime("us")), pl.Series([0, 1]).cast(pl.Datetime("us", "UTC"))),
        ("at", pl.Series([0, 1]).cast(pl.Datetime("us")), pl.Series([0, 1]).cast(pl.Date)),
        ("fraud", pl.Series([True, False]), pl.Series([1, 0])),
        ("who", pl.Series(["1.00", "2.00"]).cast(pl.Decimal(9, 2)), pl.Series(["1", "2"])),
    ],
)
def test_a_column_of_types_that_do_not_fit_is_refused_with_its_file(
    tmp_path: Path, column: str, first: pl.Series, second: pl.Series
) -> None:
    with pytest.raises(Quarantine) as refusal:
        imported(columns_of(tmp_path / "in", column, first, second))
    assert (refusal.value.reason, refusal.value.where) == (Reason.INPUT_COLUMN_TYPE, f"{tmp_path / 'in' / '1.parquet'}, column '{column}'")
    assert "one type" in refusal.value.remedy


def test_a_time_outside_of_all_years_is_refused_where_units_differ(tmp_path: Path) -> None:
    far = pl.Series([2**62, 0]).cast(pl.Datetime("ms", "UTC"))
    with pytest.raises(Quarantine, match="outside of all years") as refusal:
        imported(columns_of(tmp_path / "in", "at", far, pl.Series([0, 1]).cast(pl.Datetime("us", "UTC"))))
    assert refusal.value.reason is Reason.INPUT_FILE_UNREADABLE
