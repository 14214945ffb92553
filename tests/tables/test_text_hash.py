"""The hashes against their definition in plain Python: they are part of what two machines must agree on."""

from __future__ import annotations

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import I64, U8
from assay.codecs.kernel import kernel
from assay.tables.text_hash import hash64, hash128

SIXTY_FOUR = 2**64
SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
PRIMES = (0xFF51AFD7ED558CCD, 0x9FB21C651E98DF25)
SPREADS = (0xD6E8FEB86659FD93, 0xA0761D6478BD642F)


def by_definition(text: bytes, seed: int) -> list[int]:
    hashes = []
    for lane, (start, prime, spread) in enumerate(zip(SEEDS, PRIMES, SPREADS, strict=True)):
        h = start ^ (len(text) * prime % SIXTY_FOUR) ^ (seed * spread % SIXTY_FOUR)
        for at in range(0, len(text), 8):
            word = int.from_bytes(text[at : at + 8], "little")
            h = h ^ word if lane == 0 else (h + word) % SIXTY_FOUR
            h = ((h << 29 | h >> 35) % SIXTY_FOUR) * prime % SIXTY_FOUR
        h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 % SIXTY_FOUR
        h = (h ^ h >> 27) * 0x94D049BB133111EB % SIXTY_FOUR
        hashes.append(h ^ h >> 31)
    return hashes


@kernel
def _hashes(data: U8, length: int, seed: int, out: I64) -> None:
    out[0] = np.int64(hash64(data, 0, length, seed))
    first, second = hash128(data, 0, length, seed)
    out[1], out[2] = np.int64(first), np.int64(second)


@settings(max_examples=drawn(200), deadline=None)
@given(st.binary(max_size=40), st.integers(0, 9))
def test_hashes_equal_their_definition(text: bytes, seed: int) -> None:
    out = np.zeros(3, np.int64)
    _hashes(np.frombuffer(text, np.uint8), len(text), seed, out)
    first, second = by_definition(text, seed)
    assert out.view(np.uint64).tolist() == [first, first, second]


@pytest.mark.parametrize("suffix", [b"", b"1", b"-12345678"])
def test_no_two_ids_of_one_first_byte_meet_whatever_their_seeds(suffix: bytes) -> None:
    """The ids of payments, labels and context facts are separate name spaces, by seed."""
    out, met = np.zeros(3, np.int64), dict[tuple[int, ...], tuple[int, int]]()
    for seed in range(5):
        for byte in range(256):
            text = bytes([byte]) + suffix
            _hashes(np.frombuffer(text, np.uint8), len(text), seed, out)
            for lane, value in enumerate(out[1:].tolist()):
                assert met.setdefault((lane, value), (seed, byte)) == (seed, byte)
