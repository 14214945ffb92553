"""Rows at fault are set aside on request: as they stood, with their faults, and the others are the world of the file without them."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_worlds import NOW_US, ROWS, mapping, reseal, write

from assay.app.cli import main
from assay.app.oracle.importer import import_world
from assay.app.oracle.sealed_world import SealedWorld, open_world
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

ONE_BAD = {**ROWS, "amount": ["57.16", "abc", "999999999.99", "81.50"]}


def imported(file: Path, aside: Path | None = None, **changes: Any) -> SealedWorld:
    """Import a file into a store beside it."""
    return import_world(file, mapping(**changes), DirectoryStore(file.parent / "store"), NOW_US, aside=aside)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def events_of(world: SealedWorld) -> list[tuple[Any, ...]]:
    """All that is streamed and told of a world, but for the ids that hash it."""
    view = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    told = view.join(world.truth().drop("ts_us"), on="event_id", how="left", maintain_order="left")
    return told.drop("event_id").rows()


#: column → a value that is at fault, and the code of its row
FAULTS: dict[str, tuple[Any, Reason]] = {
    "id": (None, Reason.INPUT_VALUE_MISSING),
    "at": ("2018-04-31T00:00:00Z", Reason.INPUT_VALUE_INVALID),
    "amount": ("-1.00", Reason.AMOUNT_OUT_OF_RANGE),
    "who": ("tab\there", Reason.INPUT_VALUE_INVALID),
    "shop": (" m-1", Reason.INPUT_VALUE_INVALID),
    "kind": (None, Reason.INPUT_VALUE_MISSING),
    "channel": ("x" * 1025, Reason.INPUT_VALUE_INVALID),
    "fraud": ("NULL", Reason.INPUT_VALUE_INVALID),
}
OTHERS = [
    ("at", "2999-01-01T00:00:00Z", Reason.TIME_IN_FUTURE),
    ("at", "1970-01-01T00:00:00Z", Reason.INPUT_VALUE_INVALID),
    ("at", "2018-04-01T00:00:00", Reason.TIME_ZONE_MISSING),
    ("amount", "1.005", Reason.AMOUNT_NOT_WHOLE_MINOR_UNIT),
    ("amount", None, Reason.INPUT_VALUE_MISSING),
]


@pytest.mark.parametrize(("column", "value", "reason"), [*((name, *fault) for name, fault in FAULTS.items()), *OTHERS])
def test_a_row_at_fault_is_set_aside_as_it_stood_with_its_number_code_and_detail(
    tmp_path: Path, column: str, value: Any, reason: Reason
) -> None:
    rows = {**ROWS, column: [ROWS[column][0], ROWS[column][1], value, ROWS[column][3]]}
    world = imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl")
    (bad,) = lines_of(tmp_path / "bad.jsonl")
    assert (bad["assay"]["row"], bad["assay"]["code"], bad["assay"]["column"]) == (3, reason.value, column)
    assert repr(value) in bad["assay"]["detail"]
    assert bad["assay"]["remedy"]
    assert bad["values"] == {name: values[2] for name, values in rows.items()}
    assert world.manifest.aside == {reason.value: 1}
    assert world.manifest.rows == 3
    list(world.verify())


#: value → (what it is, the others of its column): faults in how a file is declared
OF_FILE: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a second currency": ({"coin": ["EUR", "EUR", "USD", "EUR"]}, {"currency": {"column": "coin"}}, "a second currency"),
    "a currency of another minor unit": (
        {"coin": ["EUR", "EUR", "JPY", "EUR"]},
        {"currency": {"column": "coin"}, "currencies": ["EUR", "JPY"]},
        "JPY has 0",
    ),
    "a point of thousands": ({"amount": ["1.000", "2", "3", "4"]}, {}, "a point that may be one of decimals or of thousands"),
    "a type": ({"who": [[1], [2], [3], [4]]}, {}, "the column holds lists"),
    "a column": ({}, {"entities": {"customer": "absent"}}, "absent"),
    "a truth that no row has": ({}, {"truth": {"column": "fraud", "positive": ["stolen"], "delay": "7d"}}, "no row has the value"),
}


@pytest.mark.parametrize("fault", OF_FILE)
def test_a_fault_of_the_whole_file_refuses_it_all_the_same(tmp_path: Path, fault: str) -> None:
    columns, changes, said = OF_FILE[fault]
    with pytest.raises(AssayError, match=said):
        imported(write(tmp_path / "in.parquet", {**ROWS, **columns}), tmp_path / "bad.jsonl", **changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet"]


def test_a_file_whose_rows_cannot_be_told_apart_is_refused_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("id,at,amount,who,shop,kind,channel,fraud,why\np1,2018-04-01T00:00:31Z,1,7,,card,web,no,\np2,2018\n")
    with pytest.raises(AssayError, match="INPUT_FILE_UNREADABLE"):
        imported(file, tmp_path / "bad.jsonl")


VALUES = {name: st.sampled_from([*(value for value in ROWS[name] if value != ""), fault]) for name, (fault, _) in FAULTS.items()}


@settings(max_examples=drawn(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12),
    twice=st.sets(st.integers(0, 11), max_size=3),
    as_csv=st.booleans(),
)
def test_what_is_imported_and_what_is_set_aside_are_the_file_and_the_world_is_that_of_the_others(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], twice: set[int], *, as_csv: bool
) -> None:
    room = tmp_path_factory.mktemp("law")
    for number, row in enumerate(rows):
        row["id"] = row["id"] and ("same" if number in twice else f"p{number}")
        row["why"] = None
    frame = pl.DataFrame(rows, schema=dict.fromkeys([*VALUES, "why"], pl.String))
    file = write(room / ("in.csv" if as_csv else "in.parquet"), frame)
    changes: dict[str, Any] = {"truth": {"column": "fraud", "positive": ["yes"], "negative": ["no"], "delay": "7d"}}
    try:
        world = imported(file, room / "bad.jsonl", **changes)
    except AssayError:
        assert not (room / "store").exists()
        return
    bad = {line["assay"]["row"] for line in lines_of(room / "bad.jsonl")} if (room / "bad.jsonl").exists() else set()
    counted = _rows_by_another_reader(file)
    assert world.manifest.rows + len(bad) == world.manifest.rows + sum(world.manifest.aside.values()) == counted
    others = frame.with_row_index("n", offset=1).filter(~pl.col("n").is_in(sorted(bad))).drop("n")
    assert events_of(world) == events_of(imported(write(room / "others.parquet", others), **changes))


def _rows_by_another_reader(file: Path) -> int:
    if file.suffix == ".parquet":
        return int(pl.scan_parquet(file).select(pl.len()).collect().item())
    with file.open(encoding="utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text)) - 1


def test_without_faults_it_is_the_same_world_and_no_file_is_written(tmp_path: Path) -> None:
    plain = imported(write(tmp_path / "in.parquet", ROWS))
    assert imported(tmp_path / "in.parquet", tmp_path / "bad.jsonl").manifest == plain.manifest
    assert not (tmp_path / "bad.jsonl").exists()


def test_without_the_file_a_fault_refuses_as_ever(tmp_path: Path) -> None:
    with pytest.raises(AssayError) as refused:
        imported(write(tmp_path / "in.parquet", ONE_BAD))
    assert (refused.value.reason, refused.value.where) == (Reason.INPUT_VALUE_INVALID, "column 'amount', row 2")
    assert str(refused.value).count("\n") == 0


def test_a_file_of_faults_alone_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(AssayError) as refused:
        imported(write(tmp_path / "in.parquet", {**ROWS, "amount": ["x", "-1", "y", "-2"]}), tmp_path / "bad.jsonl")
    assert str(refused.value).count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet"]


def test_rows_of_one_id_are_all_set_aside_because_nobody_knows_which_is_right(tmp_path: Path) -> None:
    world = imported(write(tmp_path / "in.parquet", {**ROWS, "id": ["p1", "p2", "p1", "p4"]}), tmp_path / "bad.jsonl")
    assert [line["assay"]["row"] for line in lines_of(tmp_path / "bad.jsonl")] == [1, 3]
    assert world.manifest.aside == {"INPUT_ID_DUPLICATE": 2}


def test_rows_are_set_aside_in_their_order_whatever_their_faults(tmp_path: Path) -> None:
    rows = {**ROWS, "amount": ["x", "1", "y", "1"], "kind": ["card", "card", "card", None]}
    imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl", truth=None)
    assert [line["assay"]["row"] for line in lines_of(tmp_path / "bad.jsonl")] == [1, 3, 4]


def test_a_world_without_some_rows_is_another_world_than_that_of_a_file_without_them(tmp_path: Path) -> None:
    """Its manifest says what is missing, so the two may lie in one store."""
    some = imported(write(tmp_path / "in.parquet", ONE_BAD), tmp_path / "bad.jsonl")
    clean = imported(write(tmp_path / "clean.parquet", pl.DataFrame(ROWS)[[0, 2, 3]]))
    assert events_of(some) == events_of(clean)
    assert some.manifest.manifest_fingerprint != clean.manifest.manifest_fingerprint
    assert open_world(some.store, some.manifest.manifest_fingerprint).manifest.aside == {"INPUT_VALUE_INVALID": 1}
    assert open_world(some.store, clean.manifest.manifest_fingerprint).manifest.aside == {}


def test_the_number_of_rows_set_aside_cannot_be_changed_behind_the_seal(tmp_path: Path) -> None:
    world = imported(write(tmp_path / "in.parquet", ONE_BAD), tmp_path / "bad.jsonl")
    forged = WorldManifest.model_validate({**world.manifest.model_dump(), "set_aside": {"INPUT_VALUE_INVALID": 2}})
    reseal(world, forged)
    with pytest.raises(Stop, match="MANIFEST_MISMATCH"):
        open_world(world.store, world.manifest.manifest_fingerprint)


def test_rows_that_were_set_aside_are_imported_by_the_same_mapping_once_they_are_corrected(tmp_path: Path) -> None:
    imported(write(tmp_path / "in.csv", ONE_BAD), tmp_path / "bad.jsonl")
    (tmp_path / "bad.jsonl").write_text((tmp_path / "bad.jsonl").read_text().replace('"amount":"abc"', '"amount":"12.50"'))
    world = imported(tmp_path / "bad.jsonl", truth=None)
    assert world.stream_part(world.manifest.stream_view[0])["amount_minor"].to_list() == [1_250]


def test_values_of_every_type_are_written_out(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            **ONE_BAD,
            "at": pl.Series([datetime(2018, 4, 1, 0, 0, n, tzinfo=UTC) for n in range(4)]),
            "price": pl.Series([Decimal("1.10")] * 4),
            "share": [1.5, float("nan"), 2.5, 3.5],
            "raw": [b"\xff\xfe"] * 4,
            "many": [[1, 2]] * 4,
        }
    )
    imported(write(tmp_path / "in.parquet", rows), tmp_path / "bad.jsonl")
    (bad,) = lines_of(tmp_path / "bad.jsonl")
    assert [bad["values"][name] for name in ("price", "share", "raw", "many")] == ["1.10", "NaN", "fffe", [1, 2]]
    assert bad["values"]["at"].startswith("2018-04-01 00:00:01")
    assert bad["assay"]["types"] == {"at": "Datetime(us, UTC)", "price": "Decimal(38, 2)", "share": "Float64", "raw": "Binary"}


def test_rows_of_a_folder_are_named_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.parquet", pl.DataFrame(ROWS)[:1])
    write(tmp_path / "in" / "b.parquet", pl.DataFrame({**ROWS, "kind": ["card", "card", None, "card"]})[1:])
    imported(tmp_path / "in", tmp_path / "bad.jsonl")
    (bad,) = lines_of(tmp_path / "bad.jsonl")
    assert (bad["assay"]["row"], bad["assay"]["file"], bad["assay"]["file_row"]) == (3, "b.parquet", 2)


@pytest.mark.parametrize(("name", "said"), [("bad.csv", "'.csv' is not"), ("none/bad.jsonl", "its folder does not exist")])
def test_a_file_that_cannot_take_rows_is_refused_before_anything_is_read(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(Stop, match=rf"ASIDE_FILE_REFUSED.*{said}"):
        imported(tmp_path / "absent.parquet", tmp_path / name)


def test_a_file_that_is_there_is_never_overwritten_and_is_as_good_if_it_says_the_same(tmp_path: Path) -> None:
    file, aside = write(tmp_path / "in.parquet", ONE_BAD), tmp_path / "bad.jsonl"
    first = imported(file, aside)
    assert imported(file, aside).manifest == first.manifest
    aside.write_text("mine")
    with pytest.raises(Stop, match=r"ASIDE_FILE_REFUSED.*nothing is overwritten"):
        import_world(file, mapping(), DirectoryStore(tmp_path / "other"), NOW_US, aside=aside)
    assert aside.read_text() == "mine"
    assert not (tmp_path / "other").exists(), "no world is sealed without the rows it lacks"


def test_the_command_says_how_many_rows_it_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text(json.dumps(mapping().document()))
    file, aside, store = write(tmp_path / "in.csv", ONE_BAD), tmp_path / "bad.jsonl", tmp_path / "store"
    for rows in (ONE_BAD, ROWS):
        write(file, rows)
        given = ["import", str(file), "--mapping", str(tmp_path / "m.yaml"), "--out", str(store), "--quarantine-rows", str(aside)]
        with pytest.raises(SystemExit) as ended:
            main(["oracle", *given])
        assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "set aside             INPUT_VALUE_INVALID 1" in said
    assert "without any entity" not in said
    assert f"no row was at fault: {aside} is not written" in said


def test_the_command_counts_rows_without_any_entity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text(json.dumps(mapping().document()))
    file = write(tmp_path / "in.csv", {**ROWS, "who": [None, "7", None, "9"]})
    with pytest.raises(SystemExit) as ended:
        main(["oracle", "import", str(file), "--mapping", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "store")])
    assert ended.value.code == 0
    assert "without any entity    2 (no customer, no merchant): a run refuses them" in capsys.readouterr().out
    (tmp_path / "m.yaml").write_text(json.dumps(mapping(entities={}).document()))
    with pytest.raises(SystemExit):
        main(["oracle", "import", str(file), "--mapping", str(tmp_path / "m.yaml"), "--out", str(tmp_path / "store")])
    assert "entities              none: features are kept per entity" in capsys.readouterr().out
