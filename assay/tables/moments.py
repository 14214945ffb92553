"""The z-score of a window out of exact integers.

A window of n payments has their sum S and the sum Q of their squares. With mean = S / n and variance = Q / n - mean², the z-score of an
amount is (n * amount - S) / sqrt(n * Q - S²). Both integers are computed exactly, in words of 64 bits: the difference of two large numbers
keeps all its digits, and a window without spread has exactly zero under the root.

Four operations round, each to the nearest double: the integers become doubles, the root, the quotient. So the result is less than four
units in the last place away from the exact value, and is zero only where that is zero. It is the same on every machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from assay.codecs.intrinsics import leading_zeros, multiply_high
from assay.codecs.kernel import Int, inlined, part

_ONE, _HALF_WORD, _LAST_BIT = np.uint64(1), np.uint64(32), np.uint64(63)
_ZERO = np.uint64(0)
#: 2**k for the smallest and larger k that `_nearest` scales by
_SMALLEST = -62
_POWERS = 2.0 ** np.arange(_SMALLEST, 130)


@inlined
def _nearest(high: np.uint64, middle: np.uint64, low: np.uint64) -> Any:
    """The double nearest to high * 2**128 + middle * 2**64 + low, which is not zero; of two as near the even one.

    63 bits are converted at once, so one rounding is all. The last of them also stands for every bit below.
    """
    first, second, rest, exponent = high, middle, low, 128
    if high == _ZERO:
        first, second, rest, exponent = middle, low, _ZERO, 64
        if middle == _ZERO:
            first, second, exponent = low, _ZERO, 0
    zeros = leading_zeros(first)
    shift = np.uint64(zeros)
    top = (first << shift) | ((second >> _ONE) >> (_LAST_BIT - shift))
    below = (top & _ONE) | (second << shift) | rest
    bits = np.int64((top >> _ONE) | np.uint64(below != _ZERO))
    return np.float64(bits) * _POWERS[exponent + 1 - zeros - _SMALLEST]


@part
def zscore(count: Int, total: Int, upper: Int, lower: Int, amount: Int) -> Any:
    """(amount - mean) / standard deviation of `count` amounts with sum `total` and squares of together upper * 2**32 + lower.

    All are int64, not negative, and `lower` is below 2**32. 0.0 for no amounts and for amounts without spread.
    """
    n, s = np.uint64(count), np.uint64(total)
    # n * Q - S² in three words
    squares, squares_high = (np.uint64(upper) << _HALF_WORD) | np.uint64(lower), np.uint64(upper) >> _HALF_WORD
    low, middle, high = n * squares, multiply_high(n, squares) + n * squares_high, multiply_high(n, squares_high)
    high += np.uint64(middle < n * squares_high)
    own_low, own_high = s * s, multiply_high(s, s)
    borrow = np.uint64(low < own_low)
    high -= np.uint64(middle < own_high) + np.uint64(middle - own_high < borrow)
    middle -= own_high + borrow
    low -= own_low
    if (low | middle | high) == _ZERO:
        return 0.0
    root = math.sqrt(_nearest(high, middle, low))
    # n * amount - S: its size in two words, and its sign
    a = np.uint64(amount)
    low, middle = n * a, multiply_high(n, a)
    if middle == _ZERO and low <= s:
        return -_nearest(_ZERO, _ZERO, s - low) / root if low < s else 0.0
    middle -= np.uint64(low < s)
    return _nearest(_ZERO, middle, low - s) / root
