"""Counter-based draws and exact tables: published vectors, facts of the distributions, and equal bits with and without machine code."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_python import printed

from assay.codecs.kernel import kernel
from assay.engine import quantiles
from assay.engine.philox import below, bits, chosen, stream_key, two

#: from the authors' file of known answers for Philox4x32-10: counter words, key words, result words
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@kernel
def filled(key: Any, ends: Any, table: Any, out: Any) -> None:
    """Of each row: two uniforms, an integer, a choice and a quantile."""
    for i in range(len(out)):
        first, second = two(key, i, 3)
        out[i, 0], out[i, 1] = first, second
        out[i, 2] = below(first, 7)
        out[i, 3] = chosen(second, ends, 0, len(ends))
        out[i, 4] = quantiles.interpolated(table, first)


@kernel
def block(key: Any, row: Any, draw: Any, out: Any) -> None:
    """The two words of one place."""
    out[0], out[1] = bits(key, row, draw)


def drawn(rows: int) -> Any:
    """`filled` with weights 1, 0, 3 and normal quantiles."""
    out = np.empty((rows, 5), np.float64)
    filled(stream_key("test", 7), np.array([1.0, 1.0, 4.0]), quantiles.normal(), out)
    return out


def digest() -> str:
    """sha256 of a few drawn rows."""
    return hashlib.sha256(drawn(500).tobytes()).hexdigest()


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_known_answers_of_philox_come_out(counter: tuple[int, ...], key: tuple[int, ...], result: tuple[int, ...]) -> None:
    out = np.empty(2, np.uint64)
    row, draw = counter[0] | counter[1] << 32, counter[2] | counter[3] << 32
    block(np.uint64(key[0] | key[1] << 32), np.uint64(row), np.uint64(draw), out)
    assert [int(word) for word in out] == [result[0] << 32 | result[1], result[2] << 32 | result[3]]


def test_draws_have_the_facts_of_their_distributions() -> None:
    rows = drawn(200_000)
    assert abs(rows[:, 0].mean() - 0.5) < 4 / np.sqrt(12 * len(rows))
    assert abs(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]) < 4 / np.sqrt(len(rows))
    assert {*np.unique(rows[:, 2])} == {0, 1, 2, 3, 4, 5, 6}
    shares = np.bincount(rows[:, 3].astype(np.int64)) / len(rows)
    assert shares[1] == 0
    assert abs(shares[0] - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(rows))
    assert abs(rows[:, 4].std() - 1) < 0.01


def test_equal_bits_come_out_without_machine_code() -> None:
    assert printed("from world.test_draws import digest; print(digest())") == digest()


def test_names_of_a_stream_do_not_run_together() -> None:
    assert len({int(stream_key("ab", "c")), int(stream_key("a", "bc")), int(stream_key("abc")), int(stream_key("ab", "c", ""))}) == 4


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 2**40))
def test_an_integer_is_below_its_end(u: float, end: int) -> None:
    assert 0 <= below(u, end) < end
    assert below(np.nextafter(1.0, 0.0), end) == min(int(np.nextafter(1.0, 0.0) * end), end - 1)


@pytest.mark.parametrize(
    ("table", "cell", "value"),
    [
        (quantiles.normal(), 2048, 0.0),
        (quantiles.normal(), 3072, 0.674489750196082),
        (quantiles.normal(), 4092, 3.0972690781987),
        (quantiles.normal(), 0, -3.8419306855019),
        (quantiles.exponential(), 2048, 0.693147180559945),
        (quantiles.lognormal("7.25", "0.95", "1", "250000000"), 2048, 1408.10484820408),
        (quantiles.lognormal("7.25", "0.95", "1", "2000"), 4096, 2000.0),
        (quantiles.power("2", "10", "110"), 2048, 35.0),
        (quantiles.power("1.6", "1", "1209600"), 4096, 1209600.0),
    ],
)
def test_quantiles_are_those_of_the_distribution(table: quantiles.Table, cell: int, value: float) -> None:
    assert table[cell] == pytest.approx(value, rel=2e-9, abs=1e-12)
    assert (np.diff(table) >= 0).all()


def test_tables_have_the_same_bits_everywhere() -> None:
    """A change of this digest changes every world: it needs another RELEASE of the engine."""
    amounts, delays = quantiles.lognormal("7.25", "0.95", "1", "250000000"), quantiles.power("1.6", "1", "9")
    tables = (quantiles.normal(), quantiles.exponential(), amounts, delays)
    assert (
        hashlib.sha256(b"".join(table.tobytes() for table in tables)).hexdigest()
        == "e098027e8bf6fba2f3fe285e744164422e4bf0a15f7be942829963f1821058c4"
    )
