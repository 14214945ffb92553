"""The container of an Avro file (Avro 1.12, object container files): a header with the schema, and blocks of records.

Read here and not by a library, because each block is unpacked with a bound, and because what a block says of itself is checked against
what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from assay.app.gate.body_items import check_count, unreadable
from assay.app.gate.coding import opened
from assay.codecs.avro_cursor import Cursor
from assay.contracts.errors import Quarantine
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

FORM: Final = "an Avro object container"
_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
#: codec of blocks → what unpacks them
_CODECS: Final = {b"null": "", b"deflate": "raw deflate", b"zstandard": "zstd"}
_CODEC_AT: Final = "avro.codec"


class Block(NamedTuple):
    """Some records, one behind the other."""

    records: int
    data: bytes


class Container(NamedTuple):
    """The schema as it stands in the header, and the blocks with what they hold unpacked."""

    schema: bytes
    blocks: list[Block]


def container_of(body: bytes, items_max: int, bytes_max: int = BODY_BYTES_MAX) -> Container:
    """Read a container to its end.

    Raises Quarantine(BODY_INVALID), BODY_OVER_LIMIT for too many records or bytes, CODING_UNSUPPORTED for another codec of blocks.
    """
    if not body.startswith(_MAGIC):
        raise unreadable(FORM, f"it does not begin with {_MAGIC!r}", "byte 0")
    cursor = Cursor(body, len(_MAGIC), "container")
    try:
        fields = {cursor.text(): _bytes(cursor, body) for _ in cursor.items()}
        sync = cursor.fixed(_SYNC_BYTES)
        blocks = list(_blocks(cursor, body, (_codec(fields), sync), items_max, bytes_max))
    except Quarantine as refusal:
        if refusal.reason in (Reason.BYTES_TRUNCATED, Reason.BYTES_GARBAGE):
            raise unreadable(FORM, refusal.what) from None
        raise
    return Container(fields.get("avro.schema", b""), blocks)


def _codec(fields: dict[str, bytes]) -> str:
    named = fields.get(_CODEC_AT, b"null")
    if named not in _CODECS:
        what, remedy = f"the blocks are packed by {named.decode(errors='replace')!r}", "Write it with deflate, zstandard or no codec."
        raise Quarantine(Reason.CODING_UNSUPPORTED, what, where=_CODEC_AT, remedy=remedy)
    return _CODECS[named]


def _bytes(cursor: Cursor, body: bytes) -> bytes:
    at, size = cursor.span()
    return body[at : at + size]


def _blocks(cursor: Cursor, body: bytes, made: tuple[str, bytes], items_max: int, bytes_max: int) -> Iterator[Block]:
    """The blocks behind the header; `made` are its codec and its marker. A block without a record is none: no writer makes one."""
    (codec, sync), held = made, 0
    while not cursor.ended():
        records, packed = cursor.long(), _bytes(cursor, body)
        if cursor.fixed(_SYNC_BYTES) != sync:
            raise unreadable(FORM, "a block does not end with the container's marker")
        if records < 1:
            raise unreadable(FORM, f"a block has {records} records")
        check_count(held := held + records, items_max)
        data = opened(packed, codec, _CODEC_AT, bytes_max) if codec else packed
        bytes_max -= len(data)
        yield Block(records, data)
