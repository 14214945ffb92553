"""Bytes at places of a buffer: what stands there is found, and a place outside of the buffer is like nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from assay.codecs.column_match import header_numbers, mark_others, mark_unlisted, pick, same_bytes
from assay.codecs.columns import U8, Strings, settled_strings
from assay.codecs.kernel import frozen

MAGIC = b"\xc3\x01"
KNOWN = (b"12345678", b"abcdefgh", b"abcdefgX")
PRINTS = frozen(np.array([int.from_bytes(one, "little") for one in KNOWN], np.uint64), np.uint64)
#: buffers of headers, other bytes, and headers that are not quite right, with the numbers of bytes that lie outside at either end
BYTES = st.lists(st.sampled_from([*(MAGIC + one for one in KNOWN), MAGIC, b"x", b"\xc3", KNOWN[0]]), max_size=6).map(b"".join)
BUFFERS = st.tuples(BYTES, st.integers(0, 12), st.integers(0, 12)).map(lambda drawn: window(*drawn))
PLACES = st.lists(st.tuples(st.integers(-12, 70), st.integers(-2, 70)), max_size=8)


def window(data: bytes, before: int, after: int) -> U8:
    """A part of a buffer: who reads over its ends finds what would fit."""
    whole = np.frombuffer(data, np.uint8)
    return frozen(whole[min(before, len(data)) : max(len(data) - after, 0)], np.uint8)


def strings(data: U8, places: list[tuple[int, int]]) -> Strings:
    """Rows at places that may lie outside of the data."""
    starts, lengths = np.array([place[0] for place in places], np.int64), np.array([place[1] for place in places], np.int32)
    return Strings(data, starts, lengths)


def plain(kernel: Any) -> Any:
    """A kernel as Python, where a place outside of an array is an error."""
    return kernel.py_func if isinstance(kernel, Dispatcher) else kernel


@given(BUFFERS, PLACES)
def test_a_value_has_the_number_of_its_header_and_one_outside_of_the_buffer_has_none(buffer: U8, places: list[tuple[int, int]]) -> None:
    data, expected = buffer.tobytes(), []
    for start, length in places:
        inside = 0 <= start <= len(data) - length and length >= 10
        head = data[start : start + 10] if inside else b""
        expected.append(KNOWN.index(head[2:]) if head[:2] == MAGIC and head[2:] in KNOWN else -1)
    numbers, same = header_numbers(strings(buffer, places), MAGIC, PRINTS)
    assert numbers.tolist() == expected
    assert same == (len(set(expected)) < 2)


@pytest.mark.parametrize("start", [2**63 - 1, 2**62, -(2**63), -1, 11])
def test_a_start_far_outside_is_not_read(start: int) -> None:
    data = np.frombuffer(MAGIC + KNOWN[0], np.uint8)
    far = Strings(data, np.array([start, 0], np.int64), np.array([10, 10], np.int32))
    assert header_numbers(far, MAGIC, PRINTS)[0].tolist() == [-1, 0]
    assert same_bytes(data, far.starts, np.frombuffer(MAGIC, np.uint8)).tolist() == [False, True]


@given(BUFFERS, st.lists(st.integers(-12, 70), max_size=8), st.binary(max_size=3) | st.just(MAGIC), st.integers(0, 3))
def test_good_rows_with_other_bytes_are_marked(buffer: U8, starts: list[int], wanted: bytes, before: int) -> None:
    data, expected = buffer.tobytes(), frozen(np.frombuffer(wanted, np.uint8), np.uint8)
    wide = frozen(np.array([-7, *starts]), np.int64)
    verdict = np.arange(len(starts), dtype=np.int8) % 2
    marked = [3 if v == 0 and not stands(data, at - before, wanted) else v for v, at in zip(verdict.tolist(), starts, strict=True)]
    mark_others(verdict, buffer, wide, 1, before, expected, 3)
    assert verdict.tolist() == marked
    assert same_bytes(buffer, wide, expected).tolist() == [stands(data, at, wanted) for at in wide.tolist()]


def stands(data: bytes, at: int, wanted: bytes) -> bool:
    """Whether bytes stand at a place."""
    return at >= 0 and at + len(wanted) <= len(data) and data[at : at + len(wanted)] == wanted


CODES = st.lists(st.sampled_from(["EUR", "GBP", "EU", "EURO", "", "USD"]), max_size=6)


@given(CODES, st.lists(st.sampled_from(["EUR", "GBP", "JPY"]), max_size=3), st.integers(0, 12))
@example(["EURO"], ["EUR"], 0)
def test_good_rows_with_a_text_of_no_list_are_marked_and_nothing_is_read_outside(codes: list[str], listed: list[str], cut: int) -> None:
    text = "".join(codes)
    ends = np.cumsum([0, *map(len, codes)])
    wide, narrow = frozen(np.array([99, *ends[:-1]]), np.int64), frozen(np.array([98, 97, *map(len, codes)]), np.int32)
    data = frozen(np.frombuffer(text.encode(), np.uint8)[: max(len(text) - cut, 0)], np.uint8)
    wanted = frozen(np.frombuffer("".join(listed).encode(), np.uint8), np.uint8)
    before = np.arange(len(codes), dtype=np.int8) % 2
    inside = [code if end <= len(data) else "" for code, end in zip(codes, ends[1:], strict=True)]
    marked = [7 if listed and not was and code not in listed else was for code, was in zip(inside, before.tolist(), strict=True)]
    runs: list[Any] = [mark_unlisted, plain(mark_unlisted)]
    for run in runs:
        verdict = before.copy()
        run(verdict, data, wide, narrow, 1, 2, wanted, 7)
        assert verdict.tolist() == marked


NAMES = Strings.of(["a", "bb", "c"])


def picked(offsets: list[int], names: Strings, ids: Strings, names_wanted: Strings = NAMES) -> list[list[tuple[int, int]]]:
    """(start, length) of each name in each list, by machine code and by plain Python."""
    n = len(names.starts)
    wide = frozen(np.concatenate((offsets, names.starts, ids.starts)), np.int64)
    narrow = frozen(np.concatenate((names.lengths, ids.lengths)), np.int32)
    found = []
    wanted = settled_strings(names_wanted)
    runs: list[Any] = [pick, plain(pick)]
    for run in runs:
        starts, lengths = np.full((len(names_wanted.lengths), len(offsets) - 1), 9), np.full((3, len(offsets) - 1), 9, np.int32)
        at = len(offsets)
        run(frozen(names.data, np.uint8), wide, narrow, 0, at, 0, at + n, n, *wanted, starts, lengths)
        found.append([list(zip(s, z, strict=True)) for s, z in zip(starts.tolist(), lengths.tolist(), strict=True)])
    assert found[0] == found[1]
    return found[0]


ITEM_NAMES = Strings.of(["a", "bb", "a", "c", "bb"])
ITEM_IDS = Strings(np.zeros(0, np.uint8), np.arange(10, 15), np.arange(20, 25, dtype=np.int32))


def test_each_name_is_found_in_each_list_wherever_it_stands() -> None:
    nothing = (0, -1)
    assert picked([0, 2, 2, 5], ITEM_NAMES, ITEM_IDS) == [
        [(10, 20), nothing, (12, 22)],
        [(11, 21), nothing, (14, 24)],
        [nothing, nothing, (13, 23)],
    ]


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "c", "d"]), max_size=4), max_size=5))
def test_of_two_items_with_one_name_the_first_counts_whatever_other_lists_hold(lists: list[list[str]]) -> None:
    items = [name for listed in lists for name in listed]
    offsets = np.cumsum([0, *map(len, lists)]).tolist()
    ids = Strings(np.zeros(0, np.uint8), np.arange(10, 10 + len(items)), np.arange(20, 20 + len(items), dtype=np.int32))
    firsts = [
        [at + listed.index(name) if name in listed else -1 for at, listed in zip(offsets, lists, strict=False)] for name in ("a", "bb", "c")
    ]
    assert picked(offsets, Strings.of(items), ids) == [[(10 + at, 20 + at) if at >= 0 else (0, -1) for at in row] for row in firsts]


@pytest.mark.parametrize("offsets", [[-1, 2], [0, 6], [4, 9], [3, 1], [2**62, 2**62 + 1], [-(2**62), 1]])
def test_a_list_outside_of_the_items_holds_no_entity(offsets: list[int]) -> None:
    assert picked(offsets, ITEM_NAMES, ITEM_IDS) == [[(0, -1)]] * 3


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (7, 1), (2**62, 1), (0, -1), (6, 2)])
def test_a_name_outside_of_the_data_is_no_name(start: int, length: int) -> None:
    data = np.frombuffer(b"abbaccca", np.uint8)[:7]
    names = Strings(data, np.array([start], np.int64), np.array([length], np.int32))
    ids = Strings(ITEM_IDS.data, ITEM_IDS.starts[:1], ITEM_IDS.lengths[:1])
    assert picked([0, 1], names, ids) == [[(0, -1)]] * 3


def test_a_wanted_name_outside_of_its_data_is_not_found() -> None:
    whole = np.frombuffer(b"abb", np.uint8)
    wanted = Strings(whole[:2], np.array([0, 1, -1]), np.array([-1, 2, 1], np.int32))
    assert picked([0, 5], ITEM_NAMES._replace(lengths=np.array([1, 2, 1, -1, 2], np.int32)), ITEM_IDS, wanted) == [[(0, -1)]] * 3
