"""SHA-256 (FIPS 180-4) of sixteen rows side by side, laid out so that the compiler turns lanes into vector registers.

All working words are in one array `x` of uint32: word w of lane k is `x[16 * w + k]`; words 0..7 are the hash so far,
8..15 the working variables, 16..79 the message schedule.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.intrinsics import copy, store64
from assay.codecs.kernel import kernel, part

LANES = 16
SCHEDULE, WORDS = 16 * 16, 80 * 16


@part
def _turn(value: Any, right: int) -> Any:
    return np.uint32(value >> np.uint32(right)) | np.uint32(value << np.uint32(32 - right))


@part
def _round(x: Any, a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, t: int, constant: Any) -> None:
    """Round t for all lanes."""
    for k in range(16):
        ve = x[e + k]
        va = x[a + k]
        choice = (ve & x[f + k]) ^ (~ve & x[g + k])
        first = np.uint32(
            x[h + k] + (_turn(ve, 6) ^ _turn(ve, 11) ^ _turn(ve, 25)) + choice + np.uint32(x[SCHEDULE + 16 * t + k] + constant)
        )
        majority = (va & x[b + k]) ^ (va & x[c + k]) ^ (x[b + k] & x[c + k])
        x[d + k] = np.uint32(x[d + k] + first)
        x[h + k] = np.uint32(first + (_turn(va, 2) ^ _turn(va, 13) ^ _turn(va, 22)) + majority)


@kernel
def compress(x: Any, constants: Any) -> None:
    """Fold one block per lane, whose first 16 words are in the schedule, into the working hash (words 0..7)."""
    for t in range(16, 64):
        for k in range(16):
            at = SCHEDULE + 16 * t + k
            w2 = x[at - 32]
            w15 = x[at - 240]
            s0 = _turn(w15, 7) ^ _turn(w15, 18) ^ (w15 >> np.uint32(3))
            s1 = _turn(w2, 17) ^ _turn(w2, 19) ^ (w2 >> np.uint32(10))
            x[at] = np.uint32(x[at - 256] + s0 + x[at - 112] + s1)
    for i in range(128):
        x[128 + i] = x[i]
    for t in range(0, 64, 8):
        _round(x, 128, 144, 160, 176, 192, 208, 224, 240, t, constants[t])
        _round(x, 240, 128, 144, 160, 176, 192, 208, 224, t + 1, constants[t + 1])
        _round(x, 224, 240, 128, 144, 160, 176, 192, 208, t + 2, constants[t + 2])
        _round(x, 208, 224, 240, 128, 144, 160, 176, 192, t + 3, constants[t + 3])
        _round(x, 192, 208, 224, 240, 128, 144, 160, 176, t + 4, constants[t + 4])
        _round(x, 176, 192, 208, 224, 240, 128, 144, 160, t + 5, constants[t + 5])
        _round(x, 160, 176, 192, 208, 224, 240, 128, 144, t + 6, constants[t + 6])
        _round(x, 144, 160, 176, 192, 208, 224, 240, 128, t + 7, constants[t + 7])
    for i in range(128):
        x[128 + i] = np.uint32(x[128 + i] + x[i])


@part
def swapped(word: Any) -> Any:
    """The word with its bytes in the opposite order."""
    low = np.uint32(word << np.uint32(24)) | np.uint32((word & np.uint32(0xFF00)) << np.uint32(8))
    return low | np.uint32((word >> np.uint32(8)) & np.uint32(0xFF00)) | np.uint32(word >> np.uint32(24))


@part
def _open_blocks(message: Any, at: int, head: int, before: int, data: Any, begin: Any, length: Any, more: Any, row: int) -> Any:
    """Fill the open blocks of one row behind the tail of the prefix, which stands there: row, `more`, padding (FIPS 180-4 §5.1.1).

    Gives the number of blocks.
    """
    end = at + head
    if length > 0:
        copy(message, end, data, begin, length)
        end += length
    for i in range(more.shape[1]):
        message[end + i] = more[row, i]
    end += more.shape[1]
    size = end - at
    blocks = (size + 72) // 64
    last = at + 64 * blocks - 8
    message[end] = 128
    end += 1
    while end & 7 and end < last:
        message[end] = 0
        end += 1
    while end < last:
        store64(message, end, np.uint64(0))
        end += 8
    bits = np.uint64(8 * (before + size))
    low, high = np.uint64(swapped(np.uint32(bits))), np.uint64(swapped(np.uint32(bits >> np.uint64(32))))
    store64(message, last, low << np.uint64(32) | high)
    return blocks


@kernel
def hash_rows(
    tail: Any,
    before: int,
    state: Any,
    data: Any,
    starts: Any,
    lengths: Any,
    more: Any,
    message: Any,
    words: Any,
    constants: Any,
    x: Any,
    blocks: Any,
    found: Any,
) -> None:
    """Digest of prefix + row + `more[row]` for every row; row i of `found` is at 32 * i.

    `state` is the hash after the `before` prefix bytes that fill whole blocks and `tail` the rest of the prefix;
    `message` is room for the open blocks of sixteen rows, one after another, `words` the same memory as native 32-bit words,
    `x` the working words (see above) and `blocks` room for a number per lane.
    """
    n = starts.shape[0]
    head, width = tail.shape[0], message.shape[0] // 16
    for k in range(min(16, n)):
        copy(message, k * width, tail, 0, head)
    for group in range(0, n, 16):
        lanes = min(16, n - group)
        most = 0
        for k in range(lanes):
            row = group + k
            blocks[k] = _open_blocks(message, k * width, head, before, data, starts[row], np.int64(lengths[row]), more, row)
            most = max(most, blocks[k])
            for i in range(8):
                x[16 * i + k] = state[i]
        for block in range(most):
            for k in range(lanes):
                if block < blocks[k]:
                    first = k * (width // 4) + 16 * block
                    for t in range(16):
                        x[SCHEDULE + 16 * t + k] = swapped(words[first + t])
            compress(x, constants)
            for k in range(lanes):
                if block < blocks[k]:
                    for i in range(8):
                        x[16 * i + k] = x[128 + 16 * i + k]
        for k in range(lanes):
            for i in range(0, 8, 2):
                low, high = np.uint64(swapped(x[16 * i + k])), np.uint64(swapped(x[16 * (i + 1) + k]))
                store64(found, 32 * (group + k) + 4 * i, high << np.uint64(32) | low)
