"""Labels keep their meaning whatever a writer of files made of the column they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_worlds import NOW_US, ROWS, mapping, small_world, write

from assay.app.oracle.importer import import_world
from assay.app.stores.objects import DirectoryStore


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("positive", "column"),
    [
        ([1], [0, 1, None, 0]),
        ([1], [0.0, 1.0, None, 0.0]),
        ([1], ["0.0", "1.0", None, "0.0"]),
        ([1], [False, True, None, False]),
        ([True], ["False", "True", None, "False"]),
        ([True], [0, 1, None, 0]),
        (["1.0"], [0.0, 1.0, None, 0.0]),
        (["TRUE"], [False, True, None, False]),
        ([7], ["6", "7", None, "y"]),
        ([1], ["00", "01", None, "0"]),
        ([1], ["0", "+1", None, "-0"]),
        (["Yes"], ["no", "YES", None, "No"]),
        ([True], ["off", "On", None, "NO"]),
        (["stolen"], ["fine", "Stolen", "NaN", "fine"]),
    ],
)
def test_a_label_means_the_same_however_a_writer_spelled_it(tmp_path: Path, positive: list[Any], column: list[Any], suffix: str) -> None:
    file = write(tmp_path / f"in.{suffix}", {**ROWS, "fraud": column})
    truth = {"column": "fraud", "positive": positive, "delay": "7d", "emit": "all"}
    world = import_world(file, mapping(truth=truth), DirectoryStore(tmp_path / "store"), NOW_US)
    assert sorted(world.truth()["label"].to_list()) == [0, 0, 1], "one fraud, two legitimate, and one of which nobody knows"


def test_no_number_is_no_label(tmp_path: Path) -> None:
    world = small_world(
        tmp_path, {**ROWS, "fraud": [0.0, 1.0, float("nan"), 0.0]}, truth={"column": "fraud", "positive": [1], "delay": "7d"}
    )
    assert len(world.truth()) == 3
