"""Labels keep their meaning whatever a writer of files made of the column they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_worlds import NOW_US, ROWS, mapping, small_world, write

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_document
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine, Stop


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


DISPUTED = ["2024-02-10", None, "", "2024-02-11"]


@pytest.mark.parametrize("emit", ["positive", "all"])
def test_any_value_means_fraud_where_the_mapping_says_so(tmp_path: Path, emit: str) -> None:
    truth = {"column": "disputed", "positive": "not null", "delay": "7d", "emit": emit}
    world = small_world(tmp_path, {**ROWS, "disputed": DISPUTED}, truth=truth)
    assert world.truth().sort("event_id")["label"].sum() == 2
    assert len(world.truth()) == 4, "a payment without a value is legitimate"
    assert world.manifest.truth_summary is not None
    assert world.manifest.truth_summary.emitted == (2 if emit == "positive" else 4)


def test_the_values_that_mean_fraud_may_be_the_times_of_the_labels(tmp_path: Path) -> None:
    time = {"column": "disputed", "format": "%Y-%m-%d", "zone": "UTC"}
    truth = {"column": "disputed", "positive": "not null", "time": time}
    world = small_world(tmp_path, {**ROWS, "disputed": DISPUTED}, truth=truth)
    told = world.truth().filter(world.truth()["label"] == 1)["observed_ts_us"].sort().to_list()
    assert told == [1_707_523_200_000_000, 1_707_609_600_000_000]


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ({"positive": "not null", "negative": ["x"]}, "'negative' says nothing beside 'positive: not null'"),
        ({"positive": "not nul"}, "truth.positive"),
    ],
)
def test_a_word_in_place_of_the_values_is_refused_if_it_is_another(tmp_path: Path, truth: dict[str, Any], said: str) -> None:
    with pytest.raises(Stop) as refusal:
        parse_document({**mapping().document(), "truth": {"column": "fraud", "delay": "7d", **truth}}, "m")
    assert said in refusal.value.what


def test_a_word_such_as_na_among_the_dates_is_refused_until_it_is_declared(tmp_path: Path) -> None:
    rows = {**ROWS, "disputed": ["2024-02-10", "NA", None, None]}
    truth = {"column": "disputed", "positive": "not null", "delay": "7d"}
    with pytest.raises(Quarantine):
        small_world(tmp_path, rows, truth=truth)
    world = small_world(tmp_path, rows, truth=truth, csv={"nulls": ["NA"]})
    assert world.truth()["label"].sum() == 1
