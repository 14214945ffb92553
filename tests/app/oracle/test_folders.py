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
