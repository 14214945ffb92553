"""Bodies that come packed: gzip, deflate and zstd are unpacked up to the limit of a body, anything else is refused.

No more than a bounded part beyond the limit is ever made, whatever a few bytes stand for.
"""

from __future__ import annotations

import zlib
from typing import Final

from assay.contracts.errors import Quarantine
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

WHERE: Final = "Content-Encoding"
#: coding → window bits of zlib; 16 more for the header of gzip, negative for no header at all
_ZLIB: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15, "raw deflate": -15}
_ZSTD: Final = "zstd"
#: writers of Avro cut a header of zlib off, and leave a part of the checksum behind the end
_CHECKSUM_LEFT: Final = 4
#: codings of a whole body
_OF_BODIES: Final = ("gzip", "x-gzip", "deflate", _ZSTD)
#: the most memory that a frame may ask for to look back: 16 MiB
_WINDOW_BITS: Final = 24


def unpacked(body: bytes, coding: str, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body as it was before it was packed. `coding` is the header's value, empty for none.

    Raises Quarantine(CODING_UNSUPPORTED | BODY_INVALID | BODY_OVER_LIMIT).
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _OF_BODIES:
        what, remedy = f"the body is packed by {coding!r}", "Send it as it is, or packed by gzip, deflate or zstd."
        raise Quarantine(Reason.CODING_UNSUPPORTED, what, where=WHERE, remedy=remedy)
    return opened(body, name, WHERE, bytes_max)


def opened(packed: bytes, name: str, where: str, bytes_max: int) -> bytes:
    """Unpack by `gzip`, `deflate`, `raw deflate` (no header) or `zstd` (one frame or several). `where` is the place to tell.

    Raises Quarantine(BODY_INVALID) for bytes that are packed otherwise, end too early or go on behind the end, and
    Quarantine(BODY_OVER_LIMIT) for more than `bytes_max` bytes.
    """
    try:
        found = _of_zstd(packed, bytes_max) if name == _ZSTD else _of_zlib(packed, _ZLIB[name], bytes_max)
    except _Damaged as damage:
        what = f"the body is not packed by {name}, as its headers say: {damage}"
        raise Quarantine(Reason.BODY_INVALID, what, where=where, remedy="Nothing was taken; correct the call.") from None
    if len(found) > bytes_max:
        raise Quarantine(Reason.BODY_OVER_LIMIT, f"the body is over {bytes_max} bytes when it is unpacked", remedy="Send smaller batches.")
    return found


class _Damaged(Exception):
    """Packed bytes that cannot be read."""


def _of_zlib(packed: bytes, window_bits: int, bytes_max: int) -> bytes:
    reader = zlib.decompressobj(window_bits)
    try:
        found = reader.decompress(packed, bytes_max + 1)
    except zlib.error as error:
        raise _Damaged(str(error)) from None
    behind = len(reader.unused_data) > (_CHECKSUM_LEFT if window_bits < 0 else 0)
    if len(found) <= bytes_max and (not reader.eof or behind):
        raise _Damaged("they go on behind their end" if reader.eof else "they end too early")
    return found


def _of_zstd(packed: bytes, bytes_max: int) -> bytes:
    """What frames hold, one after another, up to a byte over the bound."""
    from backports import zstd

    parts, room = [], bytes_max + 1
    while packed and room:
        reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_BITS})
        try:
            part = reader.decompress(packed, room)
        except zstd.ZstdError as error:
            raise _Damaged(str(error)) from None
        parts.append(part)
        room -= len(part)
        if room and not reader.eof:
            raise _Damaged("they end too early")
        packed = reader.unused_data
    if not parts:
        raise _Damaged("they end too early")
    return b"".join(parts)
