"""Kernels that write parts of changelog rows for many slots at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.avro_encode_kernel import write_varint
from assay.codecs.intrinsics import copy
from assay.codecs.kernel import kernel

#: bytes of a window beside its name: four varints and the length of the name; bytes of a list around its windows
WINDOW_BYTES, LIST_BYTES = 4 * 10, 11


@kernel
def prefixed_ids(prefix: Any, data: Any, ids: Any, lengths: Any, out: Any, starts: Any) -> None:
    """Each id with the prefix before it, one after another. The caller has made room for all."""
    at = 0
    for i in range(len(ids)):
        starts[i] = at
        copy(out, at, prefix, 0, len(prefix))
        at += len(prefix)
        copy(out, at, data, ids[i], lengths[i])
        at += lengths[i]


@kernel
def window_bodies(lines: Any, slots: Any, words: Any, names: Any, out: Any, starts: Any, lengths: Any) -> int:
    """The Avro list of the windows of each slot's line: name, count, sum and frauds. Where the last one ends.

    `words` (windows, 3) says where the numbers lie in a line, -1 for none. `names` are the names as Avro texts and where each begins and
    ends. The caller has made room: `LIST_BYTES` per slot, and per window `WINDOW_BYTES` and its name.
    """
    texts, bounds = names
    at = 0
    for i in range(len(slots)):
        starts[i] = at
        if len(words):
            at = write_varint(out, at, np.int64(len(words)))
        for w in range(len(words)):
            size = bounds[w + 1] - bounds[w]
            copy(out, at, texts, bounds[w], size)
            at += size
            for k in range(3):
                at = write_varint(out, at, lines[slots[i], words[w, k]] if words[w, k] >= 0 else np.int64(0))
        out[at] = 0
        at += 1
        lengths[i] = at - starts[i]
    return at
