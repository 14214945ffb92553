"""The statistics of rows say nothing of their order and everything else: a value that is lost, changed or moved is seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_python import printed

from assay.app.stream_view.row_hash_kernel import HASH2_MODULUS
from assay.app.stream_view.statistics import Statistics, statistics_of

MASK = 2**64 - 1
SCHEMA = {
    "ts_utc": pl.Datetime("us", "UTC"),
    "id": pl.UInt64(),
    "number": pl.Float64(),
    "word": pl.Enum(["no", "yes"]),
    "text": pl.String(),
    "flag": pl.Boolean(),
}
ROWS = pl.DataFrame(
    {
        "ts_utc": [1_000_000, 2_000_000, 2_000_000],
        "id": [1, 2**64 - 1, None],
        "number": [0.5, None, -2.25],
        "word": ["yes", "no", None],
        "text": ["a", None, ""],
        "flag": [True, False, None],
    },
    schema=SCHEMA,
)


def mix(x: int) -> int:
    """The finaliser of splitmix64, in whole numbers."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def hash_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def bits(value: Any, dtype: pl.DataType) -> int:
    if isinstance(value, str):
        return hash_of(value)
    series = pl.Series([value], dtype=dtype).to_physical()
    numbers = series.cast(pl.Int64) if series.dtype == pl.Boolean else series
    return int.from_bytes(numbers.to_numpy().tobytes(), "little")


def in_python(rows: pl.DataFrame) -> tuple[int, int]:
    """Both sums by the words of the kernel's module, row by row."""
    hashes = []
    for row in rows.iter_rows(named=True):
        total = 0
        for name in sorted(row):
            key = hash_of(name)
            null = mix(0x9E3779B97F4A7C15 ^ mix(key))
            total += null if row[name] is None else mix(bits(row[name], rows.schema[name]) ^ key)
        hashes.append(mix(total & MASK))
    return sum(hashes), sum(one % HASH2_MODULUS for one in hashes)


def test_the_sums_are_those_of_plain_python_and_never_change() -> None:
    found = statistics_of(ROWS, "ts_utc")
    assert (found.hash_sum, found.hash_sum2) == in_python(ROWS)
    assert (found.hash_sum, found.hash_sum2) == KNOWN
    assert (found.rows, found.low_us, found.high_us) == (3, 1_000_000, 2_000_000)
    assert found.document()["max_ts_utc"] == "1970-01-01T00:00:02.000000Z"


def test_machine_code_and_plain_python_agree() -> None:
    told = "from app.stream_view.test_statistics import ROWS, statistics_of; print(statistics_of(ROWS, None).document())"
    assert printed(told) == str(statistics_of(ROWS, None).document())


@settings(deadline=None, max_examples=drawn(40))
@given(order=st.permutations(range(3)), columns=st.permutations(list(SCHEMA)), at=st.integers(0, 3))
def test_neither_the_order_of_rows_nor_that_of_columns_nor_a_cut_matters(order: list[int], columns: list[str], at: int) -> None:
    rows = ROWS[order].select(columns)
    assert statistics_of(rows[:at], "ts_utc") + statistics_of(rows[at:], "ts_utc") == statistics_of(ROWS, "ts_utc")


CHANGES: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = [
    ("a row that is lost", lambda rows: rows[:2]),
    ("a row twice in place of another", lambda rows: rows[[0, 0, 2]]),
    ("another time", lambda rows: rows.with_columns(ts_utc=pl.col("ts_utc").shift(1, fill_value=rows["ts_utc"][0]))),
    ("two numbers that changed places", lambda rows: rows.with_columns(number=pl.col("number").reverse())),
    ("two words that changed places", lambda rows: rows.with_columns(word=pl.col("word").reverse())),
    ("a null that became an empty text", lambda rows: rows.with_columns(text=pl.col("text").fill_null(""))),
    ("a null that became false", lambda rows: rows.with_columns(flag=pl.col("flag").fill_null(value=False))),
    ("a null that became 0", lambda rows: rows.with_columns(id=pl.col("id").fill_null(0))),
    ("a column of another name", lambda rows: rows.rename({"id": "ids"})),
    ("a column that is lost", lambda rows: rows.drop("flag")),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[row[0] for row in CHANGES])
def test_any_change_of_a_value_changes_both_sums(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    found, whole = statistics_of(change(ROWS), None), statistics_of(ROWS, None)
    assert found.hash_sum != whole.hash_sum and found.hash_sum2 != whole.hash_sum2, name


def test_words_count_and_not_their_numbers_in_a_dictionary() -> None:
    other = ROWS.with_columns(word=pl.col("word").cast(pl.String).cast(pl.Enum(["yes", "maybe", "no"])))
    assert statistics_of(other, None) == statistics_of(ROWS, None)
    assert statistics_of(other.with_columns(pl.col("word").cast(pl.String)), None) == statistics_of(ROWS, None)


def test_no_rows_have_no_times() -> None:
    assert statistics_of(ROWS[:0], "ts_utc") == Statistics()
    assert Statistics().document()["min_ts_utc"] is None


#: of ROWS; another number here is another hash, which old receipts do not have
KNOWN = (36_209_738_953_987_260_775, 1_519_089_882)
