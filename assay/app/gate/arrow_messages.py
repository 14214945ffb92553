"""What an Arrow stream says of its messages before anything of it is read: that its buffers are plain bytes.

A packed buffer names its own size, and nothing bounds the memory that a reader takes for it. Streams come plain, or packed as a whole by
`Content-Encoding`. The metadata of a message is a flatbuffer that Arrow's reader has verified (Arrow columnar format, Message.fbs).
"""

from __future__ import annotations

import struct
from typing import Final

#: fields of the tables, by their place in Message.fbs
_HEADER, _DICTIONARY_DATA, _COMPRESSION = 2, 1, 3
_DICTIONARY: Final = "dictionary"
#: kinds of messages that hold buffers, as pyarrow names them
KINDS: Final = ("record batch", _DICTIONARY)


def is_packed(metadata: bytes, kind: str) -> bool:
    """Whether the buffers of a message of one of `KINDS` are packed."""
    header = _table(metadata, _field(metadata, _at(metadata, 0), _HEADER))
    if kind == _DICTIONARY:
        header = _table(metadata, _field(metadata, header, _DICTIONARY_DATA))
    return _field(metadata, header, _COMPRESSION) != 0


def _at(data: bytes, place: int) -> int:
    """The place that an offset at this place leads to."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _table(data: bytes, field: int) -> int:
    return _at(data, field)


def _field(data: bytes, table: int, number: int) -> int:
    """The place of a field of a table, 0 where it is left out."""
    described = table - int(struct.unpack_from("<i", data, table)[0])
    size = int(struct.unpack_from("<H", data, described)[0])
    entry = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, described + entry)[0]) if entry + 2 <= size else 0
    return table + offset if offset else 0
