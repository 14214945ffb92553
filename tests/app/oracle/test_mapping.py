"""A mapping is read strictly: every unknown key, wrong value and truth column in a live place is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.app.demo.sources import WORLD
from assay.app.oracle.generator import SHAPES
from assay.app.oracle.mapping import Mapping, load_mapping, parse_mapping, shipped_mappings
from assay.app.oracle.samples.shelf import SAMPLES
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

DOCUMENT: dict[str, Any] = {
    "mapping": "small",
    "revision": "1",
    "output_id": "payments",
    "id": "id",
    "time": {"column": "at", "zone": "UTC"},
    "amount": {"column": "amount", "minor_unit_exponent": 2},
    "currency": {"constant": "EUR"},
    "entities": {"customer": "who"},
    "kind": {"constant": "card_payment"},
    "truth": {"column": "fraud", "positive": [1], "delay": "7d"},
}


def test_every_generated_shape_has_a_shipped_mapping() -> None:
    assert shipped_mappings() == sorted([*SHAPES, *SAMPLES, WORLD])
    for name in shipped_mappings():
        assert load_mapping(name).mapping == name


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        ({"surprise": 1}, Reason.MAPPING_INVALID, "surprise"),
        ({"ids_in_clear": ["card"]}, Reason.MAPPING_INVALID, "ids_in_clear: there is no entity 'card'"),
        ({"pseudonymise": ["card"]}, Reason.MAPPING_INVALID, "pseudonymise: there is no entity 'card'"),
        ({"pseudonymise": ["customer"], "attributes": ["who"]}, Reason.MAPPING_INVALID, "of 'customer' and of attributes"),
        ({"pseudonymise": ["customer"], "id": {"columns": ["who", "at"]}}, Reason.MAPPING_INVALID, "of 'customer' and of id"),
        ({"id": None}, Reason.MAPPING_INVALID, "id"),
        ({"time": {"column": "at", "zone": "Mars/North"}}, Reason.MAPPING_INVALID, "Mars/North"),
        ({"time": {"column": "at", "unit": "minutes"}}, Reason.MAPPING_INVALID, "time.unit"),
        ({"amount": {"column": "amount", "minor_unit_exponent": "2"}}, Reason.MAPPING_INVALID, "minor_unit_exponent"),
        ({"amount": {"column": "amount", "minor_unit_exponent": -1}}, Reason.MAPPING_INVALID, "minor_unit_exponent"),
        ({"currency": {}}, Reason.MAPPING_INVALID, "currency"),
        ({"kind": {"column": "kind", "constant": "card"}}, Reason.MAPPING_INVALID, "kind"),
        ({"entities": {"Customer Id": "who"}}, Reason.MAPPING_INVALID, "entities"),
        ({"truth": {"column": "fraud", "positive": [1]}}, Reason.MAPPING_INVALID, "delay"),
        ({"truth": {"column": "fraud", "positive": [], "delay": "7d"}}, Reason.MAPPING_INVALID, "positive"),
        ({"truth": {"column": "fraud", "positive": [1], "delay": "0s"}}, Reason.MAPPING_INVALID, "delay"),
        ({"truth": {"column": "fraud", "positive": [1], "delay": "7d", "also": ["label"]}}, Reason.MAPPING_INVALID, "label"),
        ({"truth": {"column": "fraud", "positive": [1], "delay": "7d", "also": ["why", "why"]}}, Reason.MAPPING_INVALID, "also"),
        ({"attributes": ["x" * 129]}, Reason.MAPPING_INVALID, "attributes"),
        ({"attributes": ["FRAUD"]}, Reason.TRUTH_COLUMN_IN_LIVE_ROW, "mapped to attributes"),
        ({"entities": {"fraud": "who"}}, Reason.TRUTH_COLUMN_IN_LIVE_ROW, "entities.fraud"),
        ({"seed": -1}, Reason.MAPPING_INVALID, "seed"),
        ({"attributes": ["fraud"]}, Reason.TRUTH_COLUMN_IN_LIVE_ROW, "'fraud' is also mapped to attributes"),
        ({"entities": {"customer": "fraud"}}, Reason.TRUTH_COLUMN_IN_LIVE_ROW, "entities.customer"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(change: dict[str, Any], reason: Reason, named: str) -> None:
    with pytest.raises(Stop) as refusal:
        parse_mapping(yaml.safe_dump({**DOCUMENT, **change}), "here.yaml")
    assert refusal.value.reason == reason
    assert named in str(refusal.value)
    assert refusal.value.where == "here.yaml"
    assert refusal.value.remedy


def test_text_that_is_not_yaml_is_refused() -> None:
    with pytest.raises(Stop, match="MAPPING_INVALID: not YAML"):
        parse_mapping("mapping: [", "here.yaml")


def test_a_key_given_twice_is_refused_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(DOCUMENT) + "id: other\n")
    with pytest.raises(Stop) as refusal:
        load_mapping(str(file))
    assert (refusal.value.reason, refusal.value.where) == (Reason.MAPPING_INVALID, str(file))
    assert f"line {len(file.read_text().splitlines())}: the key 'id' is given a second time" in refusal.value.what


def test_a_mapping_that_does_not_exist_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(Stop, match=r"INPUT_FILE_MISSING.*handbook, ieee_cis"):
        load_mapping("nowhere")


def test_the_digest_is_of_the_meaning_not_of_the_text() -> None:
    terse = parse_mapping(yaml.safe_dump(DOCUMENT), "a")
    spelled_out = Mapping.model_validate(terse.model_dump())
    assert terse.digest == spelled_out.digest
    assert terse.digest != parse_mapping(yaml.safe_dump({**DOCUMENT, "seed": 1}), "b").digest


@pytest.mark.parametrize(
    "declared",
    [
        {"csv": {"separator": ";", "nulls": ["NA"]}},
        {"currencies": ["EUR", "USD"]},
        {"time": {"column": "at", "zone": "UTC", "earliest": "1950-01-01"}},
        {"truth": {"column": "fraud", "positive": [1], "negative": [0], "delay": "7d"}},
    ],
)
def test_what_only_says_how_a_file_is_written_or_may_hold_is_no_part_of_the_digest(declared: dict[str, Any]) -> None:
    declaring = parse_mapping(yaml.safe_dump({**DOCUMENT, **declared}), "a")
    assert declaring.digest == parse_mapping(yaml.safe_dump(DOCUMENT), "b").digest
    assert declaring.document() != parse_mapping(yaml.safe_dump(DOCUMENT), "b").document()
    assert Mapping.model_validate(declaring.document()) == declaring


@pytest.mark.parametrize(
    "declared",
    [
        {"currencies": {"EUR": 3}},
        {"id": {"columns": ["id", "at"]}},
        {"time": {"column": "at", "unit": "h", "origin": "2024-01-01T00:00:00Z"}},
        {"amount": {"column": "amount", "minor_unit_exponent": 2, "sign": "any"}},
        {"filter": [{"column": "kind", "keep": ["card"]}]},
    ],
)
def test_what_makes_other_values_of_a_file_is_part_of_the_digest(declared: dict[str, Any]) -> None:
    declaring = parse_mapping(yaml.safe_dump({**DOCUMENT, **declared}), "a")
    assert declaring.digest != parse_mapping(yaml.safe_dump(DOCUMENT), "b").digest
    assert Mapping.model_validate(declaring.document()) == declaring


def test_the_shipped_mappings_have_the_digests_that_they_always_had() -> None:
    assert load_mapping("handbook").digest == "99bc768575368233da32e9df8f387729c3356c17f7e3be02756cd476c066a2a2"
    assert load_mapping("transfers").digest == "9965a4d083debcd90b20935150f62a99f28803f11490aaccae24e955349f0ecb"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"csv": {"nulls": [True]}}, "quotation marks"),
        ({"csv": {"separator": ","}, "time": {"column": "at", "zone": ""}}, "'' is not an IANA time zone"),
        ({"csv": {"separator": '"'}}, "'separator' must differ"),
        ({"csv": {"separator": "ab"}}, "csv.separator"),
        ({"csv": {"escape": "\\", "quote": "none"}}, "'escape' needs 'quote'"),
        ({"csv": {"thousands": "."}}, "'thousands' must differ"),
        ({"csv": {"encoding": "utf-77"}}, "'utf-77' is not an encoding"),
        ({"csv": {"encoding": "base64"}}, "'base64' is not an encoding"),
        ({"currencies": ["EUR", "BTC"]}, "{BTC: 2}"),
        ({"kind": {"constant": "a\x00"}}, "U+0000"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Stop) as refusal:
        parse_mapping(yaml.safe_dump({**DOCUMENT, **change}), "here.yaml")
    assert refusal.value.reason is Reason.MAPPING_INVALID
    assert said in refusal.value.what


def test_a_name_that_means_a_shipped_mapping_and_a_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handbook").write_text("mapping: mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Stop, match="'handbook' is a shipped mapping, and there is a path of this name here") as refused:
        load_mapping("handbook")
    assert refused.value.reason is Reason.MAPPING_INVALID
