"""Row digests are those of the standard library, on every border of a block and any prefix."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Strings
from assay.codecs.digests import INITIAL, ROUND, sha256_fixed, sha256_rows


def test_the_constants_are_those_of_the_standard() -> None:
    assert [hex(word) for word in INITIAL.tolist()[:2]] == ["0x6a09e667", "0xbb67ae85"]
    assert hex(INITIAL.tolist()[7]) == "0x5be0cd19"
    assert [hex(ROUND.tolist()[i]) for i in (0, 1, 63)] == ["0x428a2f98", "0x71374491", "0xc67178f2"]


@given(st.binary(max_size=150), st.lists(st.none() | st.binary(max_size=150), max_size=40))
@settings(deadline=None, max_examples=drawn(60))
def test_a_row_has_the_digest_of_prefix_and_row(prefix: bytes, values: list[bytes | None]) -> None:
    found = sha256_rows(prefix, *Strings.of(values))
    assert [row.tobytes() for row in found] == [hashlib.sha256(prefix + (value or b"")).digest() for value in values]


@pytest.mark.parametrize("head", [0, 1, 55, 56, 63, 64, 65, 128])
def test_every_length_around_a_block_is_right(head: int) -> None:
    prefix = bytes(range(head))
    values = [bytes([7]) * size for size in range(140)]
    found = sha256_rows(prefix, *Strings.of(values))
    assert [row.tobytes() for row in found] == [hashlib.sha256(prefix + value).digest() for value in values]


@given(st.binary(max_size=70), st.integers(0, 40), st.integers(1, 20), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=drawn(40))
def test_fixed_bytes_follow_each_row(prefix: bytes, width: int, n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    more = random.integers(0, 256, (n, width)).astype(np.uint8)
    values = [random.bytes(int(size)) for size in random.integers(0, 90, n)]
    both = sha256_rows(prefix, *Strings.of(values), more)
    assert [row.tobytes() for row in both] == [hashlib.sha256(prefix + a + b.tobytes()).digest() for a, b in zip(values, more, strict=True)]
    alone = sha256_fixed(prefix, more)
    assert [row.tobytes() for row in alone] == [hashlib.sha256(prefix + b.tobytes()).digest() for b in more]


def test_rows_may_share_and_reorder_one_buffer() -> None:
    strings = Strings.of(["a", "bb", "ccc"]).take(np.array([2, 0, 2]))
    found = sha256_rows(b"", *strings)
    assert [row.tobytes() for row in found] == [hashlib.sha256(value).digest() for value in (b"ccc", b"a", b"ccc")]
