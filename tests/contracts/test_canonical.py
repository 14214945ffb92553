"""Canonical JSON: one sequence of bytes per value."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.canonical import canonical, digest, document_digest, hex64
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_canonical_bytes_read_back_as_the_value_and_are_ascii(value: Any) -> None:
    """Nothing is lost, nothing is outside ASCII."""
    assert json.loads(canonical(value)) == value
    assert canonical(value).isascii()


@given(st.dictionaries(st.text(), SCALARS), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(value: dict[str, Any], random: Any) -> None:
    """Equal objects give equal bytes."""
    items = list(value.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(value)


def test_keys_are_sorted_and_separators_hold_no_space() -> None:
    """The written form."""
    assert canonical({"b": [1, None], "a": "ü", "A": True}) == b'{"A":true,"a":"\\u00fc","b":[1,null]}'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("\U0001f600", b'"\\ud83d\\ude00"'),
        ("\x7f", b'"\\u007f"'),
        ("\ud800", b'"\\ud800"'),
        (2**63 - 1, b"9223372036854775807"),
        ({"\U00010000": 2, "\ue000": 1}, b'{"\\ue000":1,"\\ud800\\udc00":2}'),
    ],
)
def test_bytes_that_rfc_8785_writes_in_another_way_stay(value: Any, written: bytes) -> None:
    """Digests of released records are taken over these bytes."""
    assert canonical(value) == written


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (1.0, "$"),
        (math.nan, "$"),
        ({"a": {"b": [1, 0.5]}}, "$.a.b[1]"),
        ({"a": b"x"}, "$.a"),
        ([{1: 2}], "$[0]"),
        ({"a": {1, 2}}, "$.a"),
    ],
)
def test_what_has_no_single_text_is_refused_with_its_path(value: Any, path: str) -> None:
    """Floats, bytes, sets and keys that are not strings."""
    with pytest.raises(Quarantine) as refused:
        canonical(value)
    assert refused.value.reason is Reason.VALUE_NOT_CANONICAL
    assert path in refused.value.what


def test_digests_are_sha256_of_the_canonical_bytes() -> None:
    """Bytes, 64 and 32 hex digits of one digest."""
    expected = hashlib.sha256(b'{"a":1}').digest()
    assert (digest({"a": 1}), hex64({"a": 1})) == (expected, expected.hex())


def test_a_document_may_hold_fractions_and_equals_its_digest_without_them() -> None:
    """A fraction is its shortest text; a document without one digests as any value does."""
    assert document_digest({"a": 0.1}) == hashlib.sha256(b'{"a":0.1}').digest()
    assert document_digest({"b": 1, "a": []}) == digest({"a": [], "b": 1})
