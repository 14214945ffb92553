"""YAML that people write is read strictly: a key given twice, broken syntax and other shapes are refused with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from source_tree import ROOT

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

SHIPPED = sorted((ROOT / "assay").rglob("*.yaml"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("id: a\ntime: b\nid: c\n", "line 3: the key 'id' is given a second time, first in line 1"),
        ("entities:\n  customer: a\n  customer: b\n", "line 3: the key 'customer' is given a second time, first in line 2"),
        ("rules:\n- {code: A, points: 1, code: B}\n", "line 2: the key 'code' is given a second time, first in line 2"),
        ('id: a\n"id": b\n', "line 2: the key 'id'"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n", "line 2: the key '<<'"),
        ("id: 010", "line 1: YAML reads 010 as 8"),
        ("a: 1\nid: [x, -00_7]", "line 2: YAML reads -00_7 as -7"),
        ("id: 1:30", "line 1: YAML reads 1:30 as 90"),
        ("id: 1:30.5", "line 1: YAML reads 1:30.5 as 90.5"),
        ("a: &a [*a]", "line 1: *a stands within &a itself"),
        ("id: x\na: &a\n  b: {c: [1, *a]}\n", "line 3: *a stands within &a itself"),
        ("id: [", "not YAML: while parsing a flow node"),
        ("id: 2018-02-30", "not YAML: day is out of range for month"),
        ("id: !!int ''", "not YAML: "),
        ("id: !!bool x", "not YAML: "),
        ("id: !!timestamp x", "not YAML: "),
        ("id: " + "[" * 3_000, "not YAML: maximum recursion depth"),
        (b"PAR1\xff\xfe", "not YAML: "),
        ("- id", "the document holds a list, expected keys and values"),
        ("id", "the document holds a str, expected keys and values"),
    ],
)
def test_a_document_that_cannot_be_meant_is_refused(text: str | bytes, named: str) -> None:
    """The reason and the place are the caller's."""
    with pytest.raises(Stop) as refused:
        read_document(text, Reason.MAPPING_INVALID, "here.yaml")
    assert refused.value.reason is Reason.MAPPING_INVALID
    assert refused.value.where == "here.yaml"
    assert refused.value.what.startswith(named)
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("a: [0, -0, 0.5, 10, '010', \"1:30\", 0x10, 08, 1e3]", {"a": [0, 0, 0.5, 10, "010", "1:30", 16, "08", "1e3"]}),
        ("# nothing yet\n", {}),
        ("a: {id: 1}\nb: {id: 2}\n", {"a": {"id": 1}, "b": {"id": 2}}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n", {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}),
        ("a: {deep: &d {x: 1}, own: &o {<<: *d, x: 2}}\nb: {<<: *o}\n", {"a": {"deep": {"x": 1}, "own": {"x": 2}}, "b": {"x": 2}}),
    ],
)
def test_what_has_one_meaning_is_read(text: str, value: object) -> None:
    """A key may stand in two places, and override what is merged."""
    assert read_document(text, Reason.MAPPING_INVALID, "here.yaml") == value


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_document_says_nothing_twice(path: Path) -> None:
    """People copy these, and of one of them, the gate's policy, there is no other reader."""
    text = path.read_bytes()
    assert read_document(text, Reason.MAPPING_INVALID, path.name) == yaml.safe_load(text)
