"""Generated files are the same on every platform, span nine weeks, and hold the frauds they promise."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from assay.app.oracle.draws import Draws
from assay.app.oracle.generator import SHAPES, generate
from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.world_identity import column_digests
from assay.app.stores.objects import DirectoryStore
from assay.contracts.canonical import hex64
from assay.contracts.errors import Stop

WEEK_US = 7 * 86_400_000_000
NOW_US = 1_893_456_000_000_000


@pytest.mark.parametrize(
    ("shape", "digest"),
    [
        ("handbook", "9aee1e4c4f1fb112e6d561de107cb40afc2d52bba25b5a61b8b66454b6be1439"),
        ("transfers", "441dfedd2e212f59a566ae5f04fc8106af2f38f0f00c51351ad1d60b97e9054d"),
    ],
)
def test_the_same_request_gives_the_same_rows_everywhere(shape: str, digest: str) -> None:
    frame = SHAPES[shape](2_000, 7)
    rows = frame.select(
        pl.col(pl.Datetime).cast(pl.Int64), pl.col(pl.Float64).mul(100).round().cast(pl.Int64), pl.exclude(pl.Datetime, pl.Float64)
    )
    assert hex64(column_digests(rows)) == digest


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_another_seed_gives_other_rows(shape: str) -> None:
    assert not SHAPES[shape](500, 1).equals(SHAPES[shape](500, 2))


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("rows", [1, 50, 5_000])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_generated_file_imports_with_the_mapping_of_its_shape(tmp_path: Path, shape: str, rows: int, suffix: str) -> None:
    file = tmp_path / f"generated{suffix}"
    generate(shape, rows, 3, file)
    world = import_world(file, load_mapping(shape), DirectoryStore(tmp_path / "store"), NOW_US)
    assert world.manifest.rows == rows
    assert next(iter(world.verify())).rows == rows


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_generated_world_has_time_for_windows_delays_and_test_weeks(tmp_path: Path, shape: str) -> None:
    generate(shape, 5_000, 3, tmp_path / "in.parquet")
    manifest = import_world(tmp_path / "in.parquet", load_mapping(shape), DirectoryStore(tmp_path / "store"), NOW_US).manifest
    assert manifest.max_ts_us - manifest.min_ts_us > 8 * WEEK_US
    assert manifest.truth_summary is not None
    assert manifest.truth_summary.positives > 0


def test_the_handbook_shape_holds_three_kinds_of_fraud_and_two_rhythms() -> None:
    frame = SHAPES["handbook"](50_000, 11)
    assert set(frame["TX_FRAUD_SCENARIO"].unique()) == {0, 1, 2, 3}
    assert 0.002 < frame["TX_FRAUD"].cast(pl.Float64).mean() < 0.03  # type: ignore[operator]  # a mean of numbers
    by_amount = frame.filter(pl.col("TX_FRAUD_SCENARIO") == 1)["TX_AMOUNT"]
    assert by_amount.min() > 220  # type: ignore[operator]  # a number
    hours = frame.group_by(pl.col("TX_DATETIME").dt.hour().is_between(9, 15).alias("day")).len().sort("day")["len"]
    assert hours[1] > 7 / 17 * hours[0], "more payments by day than by night"
    weekdays = frame.group_by(pl.col("TX_DATETIME").dt.weekday().alias("weekday")).len().sort("weekday")["len"]
    assert weekdays[4] > 1.2 * weekdays[6], "more on a Friday than on a Sunday"


def test_the_transfers_shape_has_two_kinds_empty_merchants_and_labels_with_their_own_times() -> None:
    frame = SHAPES["transfers"](20_000, 11)
    assert set(frame["payment_type"].unique()) == {"card_payment", "transfer"}
    assert (
        frame.filter(pl.col("payment_type") == "transfer")["merchant_id"].null_count()
        == frame.filter(pl.col("payment_type") == "transfer").height
    )
    assert frame["device_id"].null_count() > 0
    labelled = frame.filter(pl.col("investigation").is_not_null())
    assert labelled["investigated_at_ms"].null_count() == 0
    assert (labelled["investigated_at_ms"] > labelled["booked_at_ms"]).all()
    assert set(labelled["investigation"].unique()) == {"confirmed_fraud", "cleared"}


@pytest.mark.parametrize(("shape", "rows", "name"), [("unknown", 5, "a.csv"), ("handbook", 0, "a.csv"), ("handbook", 5, "a.xlsx")])
def test_a_request_that_cannot_be_met_is_refused(tmp_path: Path, shape: str, rows: int, name: str) -> None:
    with pytest.raises(Stop, match=r"GENERATOR_REQUEST_INVALID.*handbook, transfers"):
        generate(shape, rows, 1, tmp_path / name)


def test_draws_come_from_the_generators_raw_stream() -> None:
    assert Draws(7).uniform(3).tolist() == [0.625095466604667, 0.8972138009695755, 0.7756856902451935]


def test_draws_stay_in_their_ranges() -> None:
    draws = Draws(1)
    assert set(draws.below(3, 1_000).tolist()) == {0, 1, 2}
    assert abs(draws.bell(10_000)).max() < 6
