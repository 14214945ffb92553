"""Keys go to the partition a Java client would choose."""

from __future__ import annotations

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.columns import Strings
from assay.codecs.partitioner import murmur2, partitions_of

#: Values of the Java client's own tests.
JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


def reference(key: bytes) -> int:
    """murmur2 with seed 0x9747b28c in unbounded integers, as a signed 32-bit number."""
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    word = 0x9747B28C ^ len(key)
    for at in range(0, len(key) // 4 * 4, 4):
        k = int.from_bytes(key[at : at + 4], "little") * mix & mask
        word = (word * mix & mask) ^ ((k ^ k >> 24) * mix & mask)
    if len(key) % 4:
        word = (word ^ int.from_bytes(key[len(key) // 4 * 4 :], "little")) * mix & mask
    word = (word ^ word >> 13) * mix & mask
    word ^= word >> 15
    return word - (word >> 31 << 32)


@pytest.mark.parametrize(("key", "expected"), JAVA.items())
def test_murmur2_is_that_of_the_java_client(key: str, expected: int) -> None:
    word = int(murmur2(np.frombuffer(key.encode(), np.uint8), 0, len(key)))
    assert word - (word >> 31 << 32) == expected
    assert reference(key.encode()) == expected
    assert partitions_of(Strings.of([key]), 7).tolist() == [(expected & 0x7FFFFFFF) % 7]


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 50))
@settings(deadline=None, max_examples=drawn(60))
def test_a_batch_of_keys_is_partitioned_as_each_key_is(keys: list[bytes], count: int) -> None:
    assert partitions_of(Strings.of(keys), count).tolist() == [(reference(key) & 0x7FFFFFFF) % count for key in keys]
