"""Copies inside kernels move exactly the bytes they were asked to move."""

from __future__ import annotations

import numpy as np
import pytest

from assay.codecs.intrinsics import copy, gather
from assay.codecs.kernel import frozen


@pytest.mark.parametrize("size", [*range(40), 100, 1000])
def test_a_copy_moves_its_bytes_and_touches_no_other(size: int) -> None:
    data = frozen(np.arange(size + 20) % 251 + 1, np.uint8)
    into = np.zeros(size + 20, np.uint8)
    copy(into, 7, data, 11, size)
    assert into.tolist() == [0] * 7 + data[11 : 11 + size].tolist() + [0] * 13


def test_a_gather_copies_each_row_to_its_place() -> None:
    data = frozen(np.arange(10), np.uint8)
    into = np.zeros(6, np.uint8)
    gather(into, np.array([3, 0]), data, frozen(np.array([1, 8]), np.int64), frozen(np.array([3, 2]), np.int64))
    assert into.tolist() == [8, 9, 0, 1, 2, 3]


def test_a_frozen_array_is_a_read_only_view_of_the_asked_kind() -> None:
    array = np.arange(4)
    view = frozen(array, np.int64)
    assert view.base is not None
    assert not view.flags.writeable
    assert array.flags.writeable
    assert frozen(array[::2], np.int32).flags.c_contiguous
