"""Attributes by pattern: the columns that fit and that the mapping uses nowhere else; and the bounds that import and gate share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from gate_events import event, examined, paid
from hypothesis import given
from hypothesis import strategies as st
from small_worlds import ROWS, mapping, small_world

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.oracle.attribute_columns import ATTRIBUTES_BYTES_MAX, attributes
from assay.app.oracle.mapping_parts import ColumnPattern
from assay.app.oracle.refusing import ROW
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX, ATTRIBUTES_MAX, PAYLOAD_BYTES_MAX
from assay.contracts.reasons import Reason

WIDE = {**ROWS, **{f"V{n}": [f"{n}.5"] * 4 for n in range(1, 340)}}


def test_more_than_128_attributes_by_pattern_are_sealed_under_their_names(tmp_path: Path) -> None:
    world = small_world(tmp_path, WIDE, attributes=["channel", {"pattern": "V*"}])
    assert world.manifest.attributes == ["channel", *(f"V{n}" for n in range(1, 340))]
    assert world.manifest.mapping["attributes"] == world.manifest.attributes
    literal = small_world(tmp_path, WIDE, attributes=["channel", *(f"V{n}" for n in range(1, 340))])
    assert literal.manifest.manifest_fingerprint == world.manifest.manifest_fingerprint


@pytest.mark.parametrize(
    ("columns", "listed", "found"),
    [
        ({}, [{"pattern": "*"}], ["channel"]),
        ({"V1": ["1"] * 4, "W1": ["1"] * 4, "V2": ["1"] * 4}, [{"pattern": "V?"}], ["V1", "V2"]),
        ({"V1": ["1"] * 4, "V2": ["1"] * 4}, ["V2", {"pattern": "V*"}], ["V2", "V1"]),
        ({"a*": ["1"] * 4, "ab": ["1"] * 4}, ["a*"], ["a*"]),
        ({"a.c": ["1"] * 4, "abc": ["1"] * 4}, [{"pattern": "a.*"}], ["a.c"]),
    ],
)
def test_a_pattern_takes_what_fits_and_nothing_that_is_mapped_elsewhere(
    columns: dict[str, Any], listed: list[Any], found: list[str]
) -> None:
    assert mapping(attributes=listed).over([*ROWS, *columns]).attribute_names == tuple(found)


@pytest.mark.parametrize(
    ("columns", "listed", "reason", "said"),
    [
        ([], [{"pattern": "V*"}], Reason.INPUT_COLUMN_MISSING, "'V*'"),
        (["label"], [{"pattern": "l*"}], Reason.TRUTH_COLUMN_IN_LIVE_ROW, "'label'"),
        ([f"V{n}" for n in range(ATTRIBUTES_MAX + 1)], [{"pattern": "V*"}], Reason.MAPPING_INVALID, str(ATTRIBUTES_MAX)),
    ],
)
def test_a_pattern_that_finds_nothing_or_what_must_not_travel_is_refused(
    columns: list[str], listed: list[Any], reason: Reason, said: str
) -> None:
    with pytest.raises(AssayError) as refusal:
        mapping(attributes=listed).over([*ROWS, *columns])
    assert refusal.value.reason == reason
    assert said in refusal.value.what


@given(st.text(min_size=1, max_size=20).filter(lambda name: not any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in name)))
def test_a_pattern_without_signs_fits_its_own_name_only(name: str) -> None:
    plain = name.replace("*", "x").replace("?", "x")
    assert ColumnPattern(pattern=plain).fits(plain)
    assert not ColumnPattern(pattern=plain).fits(plain + "x")


def test_a_row_whose_attributes_are_too_long_together_is_refused() -> None:
    names = [f"V{n}" for n in range(400)]
    long = "ü\u3042\U0001f600" * (ATTRIBUTE_CHARS_MAX // 3)
    frame = pl.DataFrame({ROW: [1, 2], **{name: ["short", long] for name in names}})
    with pytest.raises(Quarantine) as refusal:
        attributes(frame, names)
    assert refusal.value.reason == Reason.INPUT_VALUE_INVALID
    assert refusal.value.where == "column 'attributes', row 2"
    assert f"{ATTRIBUTES_BYTES_MAX:,}" in refusal.value.what
    assert len(attributes(frame.head(1), names)) == len(names)


def test_marks_that_json_escapes_count_twice() -> None:
    names = [f"V{n:03}" for n in range(ATTRIBUTES_BYTES_MAX // 2 // ATTRIBUTE_CHARS_MAX + 1)]
    frame = pl.DataFrame({ROW: [1, 2], **{name: ["a" * ATTRIBUTE_CHARS_MAX, '"' * ATTRIBUTE_CHARS_MAX] for name in names}})
    with pytest.raises(Quarantine, match="row 2"):
        attributes(frame, names)


def test_the_gate_takes_what_the_import_takes_and_refuses_what_fits_no_message() -> None:
    value = 'ü"' * (ATTRIBUTE_CHARS_MAX // 2)
    size = len(value.encode()) + value.count('"')
    count = ATTRIBUTES_BYTES_MAX // (size + 10)
    frame = pl.DataFrame({ROW: [1], **{f"V{n:03}": [value] for n in range(count)}})
    entities = {f"{'e' * 120}{n:02}": "ü" * 256 for n in range(32)}
    taken = {name.removeprefix("attribute."): series[0] for name, series in attributes(frame, frame.columns[1:]).items()}
    assert isinstance(examined(event(payload=paid(attributes=taken, entities=entities))), Admissible)
    refused = examined(event(payload=paid(attributes={f"V{n}": "\U0001f600" * ATTRIBUTE_CHARS_MAX for n in range(ATTRIBUTES_MAX)})))
    assert isinstance(refused, RefusedEvent)
    assert (refused.reason, refused.where) == (Reason.SCHEMA_FAIL, "$.payload")
    assert f"{PAYLOAD_BYTES_MAX:,}" in refused.detail
