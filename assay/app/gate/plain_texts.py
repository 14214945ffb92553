"""Texts of a column that need no second look: printable ASCII without a quote or a backslash, of a length that is taken.

Such a text stands in JSON as it is, holds no control character, and its bytes are its characters.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from assay.codecs.columns import I32, U8, Strings

#: a column: the one text of all its rows, or a text per row
Texts: TypeAlias = str | list[str]
_PLAIN: Final = np.array([32 <= byte < 127 and chr(byte) not in '"\\' for byte in range(256)], np.bool_)
_BLANK: Final = 0x20


def plain_texts(strings: Strings, least: int, most: int, *, is_id: bool = False) -> Texts | None:
    """The rows as texts; None for a column that needs a look at each row. Rows have `least` up to `most` characters, one row at least.

    An id has no blank at its begin or end.
    """
    if int(strings.lengths.min()) < least or int(strings.lengths.max()) > most:
        return None
    rows = strings.compact()
    shared = _is_one(rows.data, rows.lengths)
    if shared:
        rows = Strings(rows.data[: int(rows.lengths[0])], rows.starts[:1], rows.lengths[:1])
    if not bool(_PLAIN[rows.data].all()):
        return None
    if is_id and bool(((rows.data[rows.starts] == _BLANK) | (rows.data[rows.starts + rows.lengths - 1] == _BLANK)).any()):
        return None
    said = rows.data.tobytes().decode("ascii")
    if shared:
        return said
    starts = rows.starts.tolist()
    return [said[start:end] for start, end in zip(starts, [*starts[1:], len(said)], strict=True)]


def _is_one(data: U8, lengths: I32) -> bool:
    """Whether all rows are the same."""
    if int(lengths.min()) != int(lengths.max()):
        return False
    table = data.reshape(len(lengths), int(lengths[0]))
    return bool((table == table[0]).all())
