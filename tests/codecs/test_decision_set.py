"""One digest for a set of decisions: their order is nothing to it, each byte and each repeat is."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import decision

from assay.codecs.columns import Strings
from assay.codecs.decision_set import DecisionSet
from assay.codecs.single_object import HEADER_BYTES

VALUES = [decision(f"e{number}") for number in range(8)]


def digest(*batches: list[bytes]) -> str:
    found = DecisionSet()
    for batch in batches:
        found.update(Strings.of(batch))
    assert found.count == sum(map(len, batches))
    return found.hexdigest()


@given(st.permutations(VALUES), st.integers(0, len(VALUES)))
def test_order_and_cuts_do_not_change_it(values: list[bytes], cut: int) -> None:
    assert digest(values[:cut], values[cut:]) == digest(VALUES)


def test_it_is_the_sha256_of_the_sorted_digests_of_the_bodies() -> None:
    bodies = sorted(hashlib.sha256(value[HEADER_BYTES:]).digest() for value in VALUES)
    assert digest(VALUES) == hashlib.sha256(b"decision_set.v1\0" + b"".join(bodies)).hexdigest()


@pytest.mark.parametrize(
    "other", [VALUES[1:], [*VALUES, VALUES[0]], [decision("e0", score=1), *VALUES[1:]], []], ids=["less", "twice", "changed", "none"]
)
def test_another_set_has_another_digest(other: list[bytes]) -> None:
    assert digest(other) != digest(VALUES)
