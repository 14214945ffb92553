"""Kernels that compare bytes at places of a buffer. A place outside of the buffer is like no other bytes; nothing is read there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Ragged, Strings
from assay.codecs.intrinsics import load64
from assay.codecs.kernel import frozen, kernel, part


def same_bytes(data: U8, starts: I64, expected: U8) -> NDArray[np.bool_]:
    """For each row whether the bytes from its start on are exactly the expected ones; reads never leave the buffer."""
    same = np.empty(len(starts), np.bool_)
    _same(frozen(data, np.uint8), frozen(starts, np.int64), frozen(expected, np.uint8), same)
    return same


def mark_others(verdict: NDArray[np.int8], data: U8, starts: I64, expected: U8, mark: int) -> None:
    """Give this mark to each row of verdict 0 at whose start other bytes stand than the expected ones."""
    _mark(verdict, frozen(data, np.uint8), frozen(starts, np.int64), frozen(expected, np.uint8), mark)


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


def pick_named(entities: Ragged, names: Strings) -> list[Strings]:
    """For each name the ids of the entities of this name, null where a row has none. The columns are read-only."""
    found, ids = entities.children["name"], entities.children["id"]
    n = len(entities.offsets) - 1
    starts, lengths = np.empty((len(names.lengths), n), np.int64), np.empty((len(names.lengths), n), np.int32)
    _pick(
        frozen(entities.offsets, np.int64),
        frozen(found.data, np.uint8), frozen(found.starts, np.int64), frozen(found.lengths, np.int32),
        frozen(ids.starts, np.int64), frozen(ids.lengths, np.int32),
        frozen(names.data, np.uint8), frozen(names.starts, np.int64), frozen(names.lengths, np.int32),
        starts, lengths,
    )  # fmt: skip
    starts.flags.writeable = lengths.flags.writeable = False
    return [Strings(ids.data, one, size) for one, size in zip(starts, lengths, strict=True)]


@part
def _stands(data: Any, at: int, expected: Any, begin: int, size: int) -> bool:
    """True if `size` bytes of `expected` from `begin` on stand at a place of the data."""
    if size < 0 or at < 0 or at > data.shape[0] - size or begin < 0 or begin > expected.shape[0] - size:
        return False
    for k in range(size):
        if data[at + k] != expected[begin + k]:
            return False
    return True


@kernel
def _same(data: U8, starts: I64, expected: U8, same: NDArray[np.bool_]) -> None:
    for i in range(len(starts)):
        same[i] = _stands(data, starts[i], expected, 0, expected.shape[0])


@kernel
def _mark(verdict: NDArray[np.int8], data: U8, starts: I64, expected: U8, mark: int) -> None:
    for i in range(len(verdict)):
        if verdict[i] == 0 and not _stands(data, starts[i], expected, 0, expected.shape[0]):
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


@kernel
def _pick(
    offsets: I64,
    data: U8,
    starts: I64,
    lengths: I32,
    id_starts: I64,
    id_lengths: I32,
    names: U8,
    name_starts: I64,
    name_lengths: I32,
    picked: NDArray[np.int64],
    sizes: NDArray[np.int32],
) -> None:
    """The id of each name in each list, null if it is not there. The place in the list before is tried first."""
    children = min(len(starts), len(lengths), len(id_starts), len(id_lengths))
    for name in range(len(name_starts)):
        hint = 0
        for i in range(len(offsets) - 1):
            picked[name, i] = 0
            sizes[name, i] = -1
            first = offsets[i]
            count = offsets[i + 1] - first
            if first < 0 or count <= 0 or count > children or first > children - count:
                continue
            for step in range(count):
                child = (hint + step) % count
                row = first + child
                if lengths[row] == name_lengths[name] and _stands(data, starts[row], names, name_starts[name], name_lengths[name]):
                    picked[name, i] = id_starts[row]
                    sizes[name, i] = id_lengths[row]
                    hint = child
                    break
