"""Keyed digests: what the definition says, equal for equal rows alone, and another under another key."""

from __future__ import annotations

import numpy as np
import pytest

from assay.codecs.columns import Strings
from assay.codecs.keyed_digest import SUMS, Key, among, keyed_digests

SECRET = b"a secret of these tests"
SIZES = [0, 1, 7, 8, 9, 63, 64, 595, 3_000]


def by_definition(key: Key, row: bytes) -> bytes:
    """NH in Python's own integers."""
    low = 2**32 - 1
    words = [int.from_bytes(row[at : at + 8], "little") for at in range(0, len(row), 8)]
    keys = [int(word) for word in key.words(len(row))]
    found = b""
    for shift in range(SUMS):
        total = len(row)
        for place, word in enumerate(words):
            k = keys[place + shift]
            total += (((word & low) + (k & low)) & low) * (((word >> 32) + (k >> 32)) & low)
        found += (total % 2**64).to_bytes(8, "little")
    return found


def digests(secret: bytes, rows: list[bytes]) -> list[bytes]:
    return [item.tobytes() for item in keyed_digests(Key(secret), Strings.of(rows))]


def test_a_digest_is_what_the_definition_says_whatever_stands_beside_the_row() -> None:
    rows = [bytes((at * 7 + size) % 256 for at in range(size)) for size in SIZES]
    assert digests(SECRET, rows) == [by_definition(Key(SECRET), row) for row in rows]
    assert [digests(SECRET, [row])[0] for row in rows] == digests(SECRET, rows)


@pytest.mark.parametrize("size", SIZES[1:])
def test_one_bit_anywhere_changes_the_digest(size: int) -> None:
    row = bytes(size)
    flipped = [row[:at] + bytes([1 << bit]) + row[at + 1 :] for at in (0, size // 2, size - 1) for bit in (0, 7)]
    assert not {digests(SECRET, [row])[0]} & set(digests(SECRET, flipped))


def test_zeros_at_the_end_count() -> None:
    assert len(set(digests(SECRET, [b"", b"\0", b"\0\0", bytes(8), bytes(16)]))) == 5


def test_another_secret_gives_other_digests() -> None:
    assert digests(SECRET, [b"row"]) != digests(b"another", [b"row"])


def test_a_longer_row_later_leaves_the_digests_of_shorter_ones() -> None:
    key = Key(SECRET)
    before = keyed_digests(key, Strings.of([b"short"])).tobytes()
    keyed_digests(key, Strings.of([bytes(50_000)]))
    assert keyed_digests(key, Strings.of([b"short"])).tobytes() == before


@pytest.mark.parametrize(("known", "found"), [([], [False] * 3), ([b"b"], [False, True, False]), ([b"a", b"c", b"d"], [True, False, True])])
def test_items_are_found_among_known_ones(known: list[bytes], found: list[bool]) -> None:
    items = np.array([b"a", b"b", b"c"], "S1").view("V1")
    assert among(items, np.array(known, "S1").view("V1")).tolist() == found
