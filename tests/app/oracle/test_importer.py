"""A file becomes a world: refused with column, row and value, or sealed with identity from its content."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_worlds import NOW_US, ROWS, mapping, small_world, write

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import open_world
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Quarantine
from assay.contracts.ids import world_event_id
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

#: rows of one time
TIED = [0, 3]
ZONED = {"column": "at", "zone": "UTC"}


def test_rows_come_out_sorted_with_normalised_columns(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    view = world.stream_part(world.manifest.stream_view[0])
    assert view["ts_us"].to_list() == sorted(view["ts_us"].to_list())
    assert view["ts_us"][0] == 1_522_540_830_000_000
    assert sorted(view["amount_minor"].to_list()) == [0, 5_716, 8_150, 99_999_999_999]
    assert view.columns == [
        "event_id", "source_id", "ts_us", "kind", "amount_minor", "currency", "entity.customer", "entity.merchant", "attribute.channel",
        "source_order",
    ]  # fmt: skip
    assert view.filter(pl.col("kind") == "transfer")["entity.merchant"].to_list() == [None]
    assert view["attribute.channel"].null_count() == 1


def test_a_time_of_day_keeps_its_fraction(tmp_path: Path) -> None:
    world = small_world(tmp_path, _with("channel", [time(10), time(10, 0, 1, 500), None, time(23, 59, 59)]))
    times = world.stream_part(world.manifest.stream_view[0])["attribute.channel"].drop_nulls()
    assert sorted(times) == ["10:00:00", "10:00:01.000500", "23:59:59"]


def test_event_ids_follow_the_contract(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    manifest = world.manifest
    pins = Pins(
        "platform_20260101T000000Z", "0" * 32, manifest.manifest_fingerprint, manifest.parameter_hash, manifest.scenario_id, manifest.seed
    )
    expected = {world_event_id("payments", [key], pins) for key in ROWS["id"]}
    assert set(world.stream_part(manifest.stream_view[0])["event_id"]) == expected


def test_truth_stands_apart_and_never_in_the_stream_view(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    view = world.stream_part(world.manifest.stream_view[0])
    assert not [name for name in view.columns if "fraud" in name or "why" in name or name.startswith("truth")]
    truth = world.truth()
    assert len(truth) == 3, "a payment of which nobody knows has no label"
    assert truth.filter(pl.col("label") == 1)["truth.why"].to_list() == ["stolen"]
    summary = world.manifest.truth_summary
    assert summary is not None
    assert (summary.rows, summary.positives, summary.emitted, summary.delay_us) == (3, 1, 3, 7 * 86_400_000_000)


def test_what_stands_beside_a_label_that_nobody_gave_is_no_part_of_a_world(tmp_path: Path) -> None:
    told = {**ROWS, "why": [None, "stolen", "a guess", None]}
    assert small_world(tmp_path / "a", told).manifest == small_world(tmp_path / "b").manifest


def test_only_positive_labels_are_emitted_when_asked(tmp_path: Path) -> None:
    summary = small_world(
        tmp_path, truth={"column": "fraud", "positive": ["yes"], "delay": "7d", "emit": "positive"}
    ).manifest.truth_summary
    assert summary is not None
    assert summary.emitted == 1


def test_a_world_without_truth_has_no_truth_parts(tmp_path: Path) -> None:
    world = small_world(tmp_path, truth=None)
    assert world.manifest.truth == []
    assert world.manifest.truth_summary is None
    assert world.truth().is_empty()


def test_importing_again_gives_the_same_world_and_writes_nothing(tmp_path: Path) -> None:
    first = small_world(tmp_path)
    before = {key: (tmp_path / "store" / key).stat().st_mtime_ns for key in first.store.keys("oracle")}
    again = small_world(tmp_path)
    assert again.manifest == first.manifest
    assert {key: (tmp_path / "store" / key).stat().st_mtime_ns for key in first.store.keys("oracle")} == before


@pytest.mark.parametrize(
    "missing",
    [
        ["_SEALED.json"],
        ["_SEALED.json", "_oracle_pack_manifest.json"],
        ["_SEALED.json", "_oracle_pack_manifest.json", "interface/engine_gates.map.yaml", "stream_view/part-000000.parquet"],
        ["run_receipt.json"],
    ],
)
def test_an_import_cut_off_before_its_seal_is_finished_by_the_next(tmp_path: Path, missing: list[str]) -> None:
    world = small_world(tmp_path)
    for key in missing:
        (tmp_path / "store" / world.root / key).unlink()
    small_world(tmp_path)
    assert open_world(world.store, world.manifest.manifest_fingerprint).manifest == world.manifest


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [("amount", 0, "57.17"), ("who", 1, "77"), ("shop", 0, "m"), ("at", 2, "2018-04-02T00:00:01Z"), ("fraud", 0, "yes")],
)
def test_another_value_anywhere_is_another_world(tmp_path: Path, column: str, row: int, value: str) -> None:
    changed = {**ROWS, column: [value if i == row else old for i, old in enumerate(ROWS[column])]}
    assert small_world(tmp_path / "b", changed).manifest.manifest_fingerprint != small_world(tmp_path / "a").manifest.manifest_fingerprint


def test_another_mapping_is_another_world(tmp_path: Path) -> None:
    a, b = small_world(tmp_path / "a").manifest, small_world(tmp_path / "b", seed=5).manifest
    assert a.manifest_fingerprint != b.manifest_fingerprint
    assert a.parameter_hash != b.parameter_hash
    assert b.seed == 5


@settings(max_examples=drawn(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)), as_csv=st.booleans())
def test_rows_of_different_times_may_stand_anywhere_in_files_of_any_format(tmp_path: Path, order: list[int], *, as_csv: bool) -> None:
    """Two of the four payments have one time: only their order tells two worlds apart."""
    shuffled = pl.DataFrame(ROWS)[list(order)]
    file = write(tmp_path / ("in.csv" if as_csv else "in.parquet"), shuffled)
    world = import_world(file, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
    reference = small_world(tmp_path / "reference").manifest
    kept = [row for row in order if row in TIED] == TIED
    assert (world.manifest == reference) == kept


def _with(column: str, values: list[Any]) -> pl.DataFrame:
    return pl.DataFrame({**ROWS, column: values})


def _stored_times(unit: Any, values: list[int]) -> pl.DataFrame:
    return pl.DataFrame({**ROWS, "at": pl.Series(values).cast(pl.Datetime(unit))})


@pytest.mark.parametrize(
    ("rows", "changes", "reason", "where"),
    [
        (pl.DataFrame(ROWS).drop("who"), {}, Reason.INPUT_COLUMN_MISSING, ""),
        (pl.DataFrame(ROWS).clear(), {}, Reason.INPUT_EMPTY, ""),
        (_with("id", ["p1", None, "p3", "p4"]), {}, Reason.INPUT_VALUE_MISSING, "column 'id', row 2"),
        (_with("id", ["p1", "p2", "p1", "p4"]), {}, Reason.INPUT_ID_DUPLICATE, "column 'id', row 1"),
        (_with("id", [1.0, 2.5, 3.0, 4.0]), {}, Reason.INPUT_VALUE_INVALID, "column 'id', row 2"),
        (_with("id", [True, False, True, False]), {}, Reason.INPUT_COLUMN_TYPE, "column 'id'"),
        (_with("id", ["p1", "p2", "p3", "x" * 257]), {}, Reason.INPUT_VALUE_INVALID, "column 'id', row 4"),
        (_with("at", ["2018-04-01T00:00:31Z"] * 3 + ["2018-04-01T00:00:31"]), {}, Reason.TIME_ZONE_MISSING, "column 'at', row 4"),
        (_with("at", ["2018-04-01T00:00:31Z"] * 3 + ["yesterday"]), {}, Reason.INPUT_VALUE_INVALID, "column 'at', row 4"),
        (_with("at", ["2018-04-01T00:00:31Z"] * 3 + ["2031-01-01T00:00:00Z"]), {}, Reason.TIME_IN_FUTURE, "column 'at', row 4"),
        (_with("at", [1, 2, 3, 4]), {}, Reason.INPUT_COLUMN_TYPE, "column 'at'"),
        (_with("at", [1.5, 2.0, 3.0, 4.0]), {}, Reason.INPUT_COLUMN_TYPE, "column 'at'"),
        (_with("at", [1, 2, 3, 2**62]), {"time": {"column": "at", "unit": "s"}}, Reason.INPUT_VALUE_INVALID, "column 'at', row 4"),
        (
            _with("at", ["2018-10-28T02:30:00", "2018-01-01T00:00:00", "2018-01-01T00:00:00", "2018-01-01T00:00:00"]),
            {"time": {"column": "at", "zone": "Europe/Berlin"}},
            Reason.INPUT_VALUE_INVALID,
            "column 'at', row 1",
        ),
        (_with("at", [1, 2, 3, -(2**63)]), {"time": {"column": "at", "unit": "ms"}}, Reason.INPUT_VALUE_INVALID, "column 'at', row 4"),
        (_with("at", [1, 2, 3, -(10**12)]), {"time": {"column": "at", "unit": "s"}}, Reason.INPUT_VALUE_INVALID, "column 'at', row 4"),
        (_stored_times("ms", [1, 2, 2**62, 4]), {"time": ZONED}, Reason.INPUT_VALUE_INVALID, "column 'at', row 3"),
        (_stored_times("us", [1, 2, 3, -(2**62)]), {"time": ZONED}, Reason.INPUT_VALUE_INVALID, "column 'at', row 4"),
        (_with("channel", [["web"], [], None, ["app"]]), {}, Reason.INPUT_COLUMN_TYPE, "column 'channel'"),
        (_with("channel", [b"\xff", b"", None, b"a"]), {}, Reason.INPUT_COLUMN_TYPE, "column 'channel'"),
        *((_with(name, [timedelta(seconds=1)] * 4), {}, Reason.INPUT_COLUMN_TYPE, f"column '{name}'")
          for name in ("id", "at", "amount", "who", "kind", "channel", "fraud", "why")),
        (_with("fraud", [["no"], ["yes"], None, ["no"]]), {}, Reason.INPUT_COLUMN_TYPE, "column 'fraud'"),
        (_with("amount", ["1", "2", "3", "-0.01"]), {}, Reason.AMOUNT_OUT_OF_RANGE, "column 'amount', row 4"),
        (_with("amount", ["1", "2", "1000000000", "4"]), {}, Reason.AMOUNT_OUT_OF_RANGE, "column 'amount', row 3"),
        (_with("amount", ["1", "2.005", "3", "4"]), {}, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 2"),
        (_with("amount", [1.0, 2.0, 3.00000002, 4.0]), {}, Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT, "column 'amount', row 3"),
        (_with("amount", [1.0, float("nan"), 3.0, 4.0]), {}, Reason.INPUT_VALUE_INVALID, "column 'amount', row 2"),
        (_with("amount", ["1", "two", "3", "4"]), {}, Reason.INPUT_VALUE_INVALID, "column 'amount', row 2"),
        (_with("amount", [1, None, 3, 4]), {}, Reason.INPUT_VALUE_MISSING, "column 'amount', row 2"),
        (_with("amount", [True] * 4), {}, Reason.INPUT_COLUMN_TYPE, "column 'amount'"),
        (_with("kind", ["card", "", "card", "card"]), {}, Reason.INPUT_VALUE_MISSING, "column 'kind', row 2"),
        (_with("kind", ["card"] * 4), {"currency": {"constant": "euro"}}, Reason.INPUT_VALUE_INVALID, "column 'currency', row 1"),
        (_with("kind", ["EUR", "EUR", "eur", "EUR"]), {"currency": {"column": "kind"}}, Reason.INPUT_VALUE_INVALID, "column 'kind', row 3"),
        (_with("channel", ["x" * 1025, "a", "b", "c"]), {}, Reason.INPUT_VALUE_INVALID, "column 'channel', row 1"),
        (
            _with("why", ["2018-04-08T00:00:00Z", "2018-04-01T00:00:30Z", None, "2018-04-08T00:00:00Z"]),
            {"truth": {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}}},
            Reason.LABEL_NOT_AFTER_PAYMENT,
            "column 'why', row 2",
        ),
        (
            _with("why", ["2018-04-08T00:00:00Z", "2031-04-08T00:00:00Z", None, "2018-04-08T00:00:00Z"]),
            {"truth": {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}}},
            Reason.TIME_IN_FUTURE,
            "column 'why', row 2",
        ),
        (
            _with("why", ["2018-04-08T00:00:00Z", None, None, "2018-04-08T00:00:00Z"]),
            {"truth": {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}}},
            Reason.INPUT_VALUE_MISSING,
            "column 'why', row 2",
        ),
        (
            _with("why", [None, "2018-04-08T00:00:00Z", None, "2018-04-08T00:00:00Z"]),
            {"truth": {"column": "fraud", "positive": ["yes"], "emit": "all", "time": {"column": "why"}}},
            Reason.INPUT_VALUE_MISSING,
            "column 'why', row 1",
        ),
    ],
)  # fmt: skip
def test_a_file_that_breaks_a_rule_is_refused_by_column_and_row(
    tmp_path: Path, rows: pl.DataFrame, changes: dict[str, Any], reason: Reason, where: str
) -> None:
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, rows, **changes)
    assert refusal.value.reason == reason
    assert where in refusal.value.where
    assert refusal.value.remedy
    assert not (tmp_path / "store").exists(), "a refused file leaves nothing behind"


def test_a_label_that_is_not_told_needs_no_time(tmp_path: Path) -> None:
    """The column of a chargeback's time is empty where there was none."""
    truth = {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}}
    world = small_world(tmp_path, _with("why", [None, "2018-04-08T00:00:00Z", None, None]), truth=truth)
    assert world.truth().sort("ts_us", "event_id").filter(label=1)["observed_ts_us"].to_list() == [1_523_145_600_000_000]
    assert world.truth().filter(label=0)["observed_ts_us"].to_list() == [None, None]


def test_a_currency_in_another_spelling_is_told_how_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(Quarantine) as refusal:
        small_world(tmp_path, _with("kind", ["EUR", "eur", "EUR", "EUR"]), currency={"column": "kind"}, currencies=["EUR", "USD"])
    assert "three capital letters" in refusal.value.remedy


def test_a_column_may_have_any_name(tmp_path: Path) -> None:
    rows = pl.DataFrame({**ROWS, "__row": ["a", "b", "c", "d"]})
    world = small_world(tmp_path, rows, attributes=["__row"])
    assert world.stream_part(world.manifest.stream_view[0])["attribute.__row"].null_count() == 0


def test_integers_and_whole_floats_are_ids_as_written(tmp_path: Path) -> None:
    rows = pl.DataFrame({**ROWS, "who": [1.0, None, 3.0, 4.0], "id": [1, 2, 3, 4]})
    world = small_world(tmp_path, rows)
    view = world.stream_part(world.manifest.stream_view[0])
    assert sorted(view["entity.customer"].drop_nulls().to_list()) == ["1", "3", "4"]


def test_an_id_in_a_csv_keeps_its_zeros(tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", {**ROWS, "who": ["007", "7", "07", "0"]})
    world = import_world(file, mapping(), DirectoryStore(tmp_path / "store"), NOW_US)
    assert set(world.stream_part(world.manifest.stream_view[0])["entity.customer"]) == {"007", "7", "07", "0"}


def test_a_local_time_becomes_utc(tmp_path: Path) -> None:
    rows = {**ROWS, "at": ["2018-07-01T12:00:00", "2018-01-01T12:00:00", "2018-07-01T12:00:01", "2018-07-01T12:00:02"]}
    manifest = small_world(tmp_path, rows, time={"column": "at", "zone": "Europe/Berlin"}).manifest
    assert manifest.min_ts_us == 1_514_804_400_000_000, "11:00 UTC in winter"
    assert manifest.max_ts_us == 1_530_439_202_000_000, "10:00:02 UTC in summer"


@pytest.mark.parametrize(
    ("unit", "value"), [("s", 1_522_540_831), ("ms", 1_522_540_831_000), ("us", 1_522_540_831 * 10**6), ("ns", 1_522_540_831 * 10**9)]
)
def test_numbers_since_1970_are_read_in_their_unit(tmp_path: Path, unit: str, value: int) -> None:
    manifest = small_world(tmp_path, {**ROWS, "at": [value] * 4}, time={"column": "at", "unit": unit}).manifest
    assert manifest.min_ts_us == 1_522_540_831_000_000


@settings(max_examples=drawn(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cents=st.lists(st.integers(0, 10**11 - 1), min_size=4, max_size=4))
def test_every_amount_of_whole_cents_survives_a_double(tmp_path: Path, cents: list[int]) -> None:
    world = small_world(tmp_path, {**ROWS, "amount": [value / 100 for value in cents]})
    view = world.stream_part(world.manifest.stream_view[0])
    assert sorted(view["amount_minor"].to_list()) == sorted(cents)


def test_the_handbook_mapping_keeps_both_truth_columns_out() -> None:
    handbook = load_mapping("handbook")
    assert handbook.truth is not None
    assert handbook.truth.columns() == {"TX_FRAUD", "TX_FRAUD_SCENARIO"}
    assert not handbook.truth.columns() & set(handbook.live_columns())
