"""Kernels that compare bytes at places of a buffer. A place outside of the buffer is like no other bytes; nothing is read there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Strings
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import frozen, kernel, part


def same_bytes(data: U8, starts: I64, expected: U8) -> NDArray[np.bool_]:
    """For each row whether the bytes from its start on are exactly the expected ones; reads never leave the buffer."""
    same = np.empty(len(starts), np.bool_)
    _same(frozen(data, np.uint8), frozen(starts, np.int64), frozen(expected, np.uint8), same)
    return same


def header_numbers(values: Strings, magic: bytes, known: NDArray[np.uint64]) -> tuple[NDArray[np.int32], bool]:
    """Per value the number of the fingerprint in its header, -1 for none of the known; and whether all values have the same number.

    A header is two bytes of magic and eight of a fingerprint. `known` is read-only.
    """
    numbers = np.empty(len(values.lengths), np.int32)
    same = _headers(
        frozen(values.data, np.uint8), frozen(values.starts, np.int64), frozen(values.lengths, np.int32),
        magic[0], magic[1], known, numbers,
    )  # fmt: skip
    return numbers, same


@part
def _stands(data: Any, at: int, expected: Any, begin: int, size: int) -> bool:
    """True if `size` bytes of `expected` from `begin` on stand at a place of the data."""
    if size < 0 or at < 0 or at > data.shape[0] - size or begin < 0 or begin > expected.shape[0] - size:
        return False
    for k in range(size):  # noqa: SIM110 - a kernel makes no generator
        if data[at + k] != expected[begin + k]:
            return False
    return True


@kernel
def _same(data: U8, starts: I64, expected: U8, same: NDArray[np.bool_]) -> None:
    for i in range(len(starts)):
        same[i] = _stands(data, starts[i], expected, 0, expected.shape[0])


@kernel
def mark_others(verdict: NDArray[np.int8], data: U8, wide: I64, first: int, before: int, expected: U8, mark: int) -> None:
    """Give this mark to each row of verdict 0 that has other bytes than the expected ones; texts start at `wide[first]` and behind it.

    The expected bytes begin `before` bytes before a text.
    """
    for i in range(min(len(verdict), len(wide) - first)):
        if verdict[i] == 0 and not _stands(data, wide[first + i] - before, expected, 0, expected.shape[0]):
            verdict[i] = mark


@kernel
def mark_unlisted(
    verdict: NDArray[np.int8], data: U8, wide: I64, narrow: I32, first: int, first_length: int, listed: U8, mark: int
) -> None:
    """Give this mark to each row of verdict 0 whose text of three bytes is none of the listed ones, which stand one after another.

    Texts start at `wide[first]` and behind it, their lengths at `narrow[first_length]`. Without a list nothing is marked.
    """
    if not len(listed):
        return
    for i in range(min(len(verdict), len(wide) - first, len(narrow) - first_length)):
        found = verdict[i] != 0
        for at in range(0, len(listed), 3):
            found = found or (narrow[first_length + i] == 3 and _stands(data, wide[first + i], listed, at, 3))
        if not found:
            verdict[i] = mark


@kernel
def _headers(data: U8, starts: I64, lengths: I32, first: int, second: int, known: NDArray[np.uint64], numbers: I32) -> bool:
    """Most values have the header of the value before, so its number is tried first."""
    same = True
    last = -1
    for i in range(len(starts)):
        start = starts[i]
        number = -1
        if lengths[i] >= 10 and start >= 0 and start <= data.shape[0] - lengths[i] and data[start] == first and data[start + 1] == second:
            found = load64(data, start + 2)
            if last >= 0 and known[last] == found:
                number = last
            else:
                for k in range(len(known)):
                    if known[k] == found:
                        number = k
        same = same and (i == 0 or number == numbers[0])
        numbers[i] = last = number
    return same


@part
def pick(
    data: U8,
    wide: I64,
    narrow: I32,
    listed: int,
    name_at: int,
    name_size: int,
    id_at: int,
    id_size: int,
    names: U8,
    name_starts: I64,
    name_lengths: I32,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int32],
) -> None:
    """Start and length of the id of each name (m,) in each list (n,), null where it is not there: two arrays (m, n).

    The lists' offsets begin at `wide[listed]`. Starts of the items' names and ids begin at `name_at` and `id_at` in `wide`, their lengths
    at `name_size` and `id_size` in `narrow`. Of two items with one name the first counts: what a list gives depends on no other list.
    """
    items = min(len(wide) - max(name_at, id_at), len(narrow) - max(name_size, id_size))
    for i in range(starts.shape[1]):
        first = wide[listed + i]
        count = wide[listed + i + 1] - first
        if first < 0 or count > items - first:
            count = 0
        for name in range(starts.shape[0]):
            starts[name, i] = 0
            lengths[name, i] = -1
            for row in range(first, first + count):
                size = narrow[name_size + row]
                if size == name_lengths[name] and _stands(data, wide[name_at + row], names, name_starts[name], size):
                    starts[name, i] = wide[id_at + row]
                    lengths[name, i] = narrow[id_size + row]
                    break


@kernel
def all_begin_with(data: U8, starts: I64, lengths: I32, heads: U8) -> bool:
    """Whether each row that is not null begins with one of these heads, uint8 (h, width)."""
    width = heads.shape[1]
    for i in range(len(starts)):
        if lengths[i] < 0:
            continue
        if lengths[i] < width or starts[i] < 0 or starts[i] + width > len(data):
            return False
        found = False
        for h in range(len(heads)):
            same = True
            for k in range(width):
                same = same and data[starts[i] + k] == heads[h, k]
            found = found or same
        if not found:
            return False
    return True
