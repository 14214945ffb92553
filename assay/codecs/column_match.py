"""Two kernels that pick bytes out of decoded columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I32, I64, U8, Ragged, Strings
from assay.codecs.kernel import frozen, kernel


def same_bytes(data: U8, starts: I64, expected: U8) -> NDArray[np.bool_]:
    """For each row whether the bytes from its start on are exactly the expected ones; reads never leave the buffer."""
    same = np.ones(len(starts), np.bool_)
    _same(frozen(data, np.uint8), frozen(starts, np.int64), frozen(expected, np.uint8), same)
    return same


@kernel
def _same(data: U8, starts: I64, expected: U8, same: NDArray[np.bool_]) -> None:
    for i in range(len(starts)):
        start = starts[i]
        if start < 0 or start + len(expected) > len(data):
            same[i] = False
            continue
        for k in range(len(expected)):
            if data[start + k] != expected[k]:
                same[i] = False
                break


@kernel
def _pick(offsets: I64, data: U8, starts: I64, lengths: I32, name: U8, picked: I64) -> None:
    """picked[i] = the child row of list i whose name is the given one; left alone if none. The place in the list before is tried first."""
    hint = 0
    for i in range(len(picked)):
        count = offsets[i + 1] - offsets[i]
        for step in range(count):
            child = (hint + step) % count
            row = offsets[i] + child
            if lengths[row] != len(name):
                continue
            same = True
            for k in range(len(name)):
                if data[starts[row] + k] != name[k]:
                    same = False
                    break
            if same:
                picked[i] = row
                hint = child
                break


def pick_named(entities: Ragged, name: bytes) -> Strings:
    """The ids of the entity of this name, null where a row has none."""
    names, ids = entities.children["name"], entities.children["id"]
    picked = np.full(len(entities.offsets) - 1, -1, np.int64)
    _pick(
        frozen(entities.offsets, np.int64), frozen(names.data, np.uint8), frozen(names.starts, np.int64),
        frozen(names.lengths, np.int32), frozen(np.frombuffer(name, np.uint8), np.uint8), picked,
    )  # fmt: skip
    absent = picked < 0
    if not len(ids.lengths):
        return Strings(ids.data, np.zeros(len(picked), np.int64), np.full(len(picked), -1, np.int32))
    starts = np.where(absent, 0, ids.starts[picked])
    return Strings(ids.data, starts, np.where(absent, np.int32(-1), ids.lengths[picked]))


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
