"""Files that were read wrongly once, each with the right values, or with the place and the remedy of its refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from small_worlds import NOW_US
from source_tree import ROOT

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import parse_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason

CASES = ROOT / "tests" / "data" / "cases"


class Refused(NamedTuple):
    """A case's file, what its mapping is changed by, and the refusal: reason, place, words of what is wrong, words of the remedy."""

    case: str
    file: str
    reason: Reason
    where: str
    what: str
    remedy: str
    mapping: str = "mapping.yaml"
    changes: dict[str, Any] = {}  # noqa: RUF012  # it is only read


def imported(folder: Path, case: str, file: str = "input.csv", mapping: str = "mapping.yaml", **changes: Any) -> SealedWorld:
    """Import a case's file; `changes` replace keys of its mapping."""
    text = (CASES / case / mapping).read_text(encoding="utf-8")
    if changes:
        text = yaml.safe_dump({**yaml.safe_load(text), **changes}, sort_keys=False)
    return import_world(CASES / case / file, parse_mapping(text, mapping), DirectoryStore(folder), NOW_US)


def columns_of(world: SealedWorld, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of every payment, by source id."""
    (part,) = world.manifest.stream_view
    return world.stream_part(part).sort("source_id").select(columns).rows()


def labels_of(world: SealedWorld) -> dict[str, int]:
    """Source id → label, of payments of which somebody knows."""
    (part,) = world.manifest.stream_view
    named = dict(world.stream_part(part).select("event_id", "source_id").rows())
    return {named[event_id]: label for event_id, label in world.truth().select("event_id", "label").rows()}


def test_escaped_marks_are_read_as_declared(tmp_path: Path) -> None:
    world = imported(tmp_path, "01", csv={"escape": "\\"})
    assert columns_of(world, "source_id", "amount_minor", "entity.customer", "entity.terminal") == [
        (str(n), n * 100, f"c{n}", {2: 'TV 50"', 4: 'TV 42"'}.get(n, "bread")) for n in range(1, 7)
    ]


@pytest.mark.parametrize("positive", ["[Yes]", "[yes]", "[on]", "[true]", '["YES"]', '["Yes"]', '["on"]'])
def test_a_flag_means_the_same_whatever_yaml_makes_of_it(tmp_path: Path, positive: str) -> None:
    truth = yaml.safe_load(f'{{column: "Is Fraud?", positive: {positive}, delay: 7d, emit: all}}')
    assert labels_of(imported(tmp_path, "02", truth=truth)) == {"1": 0, "2": 1, "3": 0, "4": 1}


@pytest.mark.parametrize("positive", ["[No]", "[off]", '["NO"]', "[false]"])
def test_a_flag_may_be_the_other_way_round(tmp_path: Path, positive: str) -> None:
    truth = yaml.safe_load(f'{{column: "Is Fraud?", positive: {positive}, delay: 7d, emit: all}}')
    assert labels_of(imported(tmp_path, "02", truth=truth)) == {"1": 1, "2": 0, "3": 1, "4": 0}


def test_declared_null_words_are_nulls(tmp_path: Path) -> None:
    world = imported(tmp_path, "06", csv=yaml.safe_load("nulls: [NULL, NA, NaN]"))
    assert columns_of(world, "entity.merchant") == [(None,)] * 5
    assert labels_of(world) == {"2": 0, "4": 1}


def test_not_a_number_is_unknown_in_text_as_in_numbers(tmp_path: Path) -> None:
    truth = {"column": "fraud", "positive": [1], "delay": "7d", "emit": "all"}
    world = imported(tmp_path, "06", csv={"nulls": ["NA"]}, entities={"account": "account"}, truth=truth)
    assert labels_of(world) == {"2": 0, "4": 1}


def test_a_column_may_be_called_like_a_pattern(tmp_path: Path) -> None:
    assert columns_of(imported(tmp_path / "a", "13"), "amount_minor", "entity.customer") == [(100, "a")]
    assert columns_of(imported(tmp_path / "b", "13", "star.csv", "mapping_star.yaml"), "entity.customer") == [("a",)]


def test_an_optional_entity_may_be_null_in_every_row(tmp_path: Path) -> None:
    world = imported(tmp_path, "11", "allnull.parquet", "mapping_allnull.yaml")
    assert {merchant for (merchant,) in columns_of(world, "entity.merchant")} == {None}


def test_categories_are_ids_and_single_floats_are_amounts(tmp_path: Path) -> None:
    for file in ("categorical.parquet", "float32.parquet"):
        world = imported(tmp_path / file, "11", file)
        assert columns_of(world, "entity.customer", "amount_minor") == [("a", 100), ("b", 250), ("a", 1234), ("c", 7)]


def test_a_folder_of_partitions_is_one_file(tmp_path: Path) -> None:
    whole = imported(tmp_path, "11", "partitioned", attributes=["dt"])
    days = [("1", "2024-01-01"), ("2", "2024-01-01"), ("3", "2024-01-01"), ("4", "2024-02-29")]
    assert columns_of(whole, "source_id", "attribute.dt") == days


def test_other_encodings_and_separators_are_read_as_declared(tmp_path: Path) -> None:
    assert columns_of(imported(tmp_path / "a", "11", "latin1.csv", csv={"encoding": "latin-1"}), "entity.customer") == [("Müller",)]
    assert columns_of(imported(tmp_path / "b", "11", "semicolon.csv", csv={"separator": ";", "decimal": ","}), "amount_minor") == [(100,)]


REFUSED = [
    Refused("01", "input.csv", Reason.INPUT_FILE_UNREADABLE, "input.csv, row 2", "backslash before a quotation mark", "csv.escape"),
    Refused("02", "input.csv", Reason.INPUT_VALUE_INVALID, "column 'Is Fraud?'", "'fraud' of truth.positive; the column has 'No', 'Yes'",
            "truth.positive", changes={"truth": {"column": "Is Fraud?", "positive": ["fraud"], "delay": "7d"}}),
    Refused("03", "input.csv", Reason.INPUT_VALUE_INVALID, "column 'at', row 1", "'24-01-15 10:00:00'", "four digits"),
    Refused("04", "input.csv", Reason.INPUT_FILE_UNREADABLE, "input.csv, row 2", "3 fields, the header has 5: the file ends in the middle",
            "whole file"),
    Refused("06", "input.csv", Reason.INPUT_VALUE_INVALID, "column 'shop', row 1", "'NULL' (and 3 more rows: row 2: 'NULL'", "csv.nulls"),
    Refused("06", "input.csv", Reason.INPUT_VALUE_INVALID, "column 'fraud', row 1", "'NA'", "csv.nulls",
            changes={"entities": {"account": "account"}}),
    Refused("09", "input.csv", Reason.TRUTH_COLUMN_IN_LIVE_ROW, "mapping.yaml", "'label' (attributes)", "truth.also"),
    Refused("11", "latin1.csv", Reason.INPUT_FILE_UNREADABLE, "latin1.csv, line 2", "not UTF-8: byte 0xFC", "csv.encoding"),
    Refused("11", "semicolon.csv", Reason.INPUT_FILE_UNREADABLE, "semicolon.csv", "separated by ';'", "csv.separator"),
    Refused("11", "refund.csv", Reason.AMOUNT_OUT_OF_RANGE, "column 'amount', row 1", "negative amount", "refunds"),
    Refused("12", "input.csv", Reason.MAPPING_INVALID, "mapping.yaml", "'' is not an IANA time zone", "Correct"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.case} {case.file}")
def test_what_would_be_read_wrongly_is_refused_with_place_and_remedy(tmp_path: Path, case: Refused) -> None:
    with pytest.raises(AssayError) as refusal:
        imported(tmp_path / "store", case.case, case.file, case.mapping, **case.changes)
    found = refusal.value
    assert found.reason is case.reason
    assert case.where in found.where
    assert case.what in found.what
    assert case.remedy in found.remedy
    assert not (tmp_path / "store").exists(), "a refused file leaves nothing behind"
