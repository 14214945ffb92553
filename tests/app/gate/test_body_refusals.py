"""A container that cannot be read is refused as a whole, with a code; a few bytes never become many; what is too much has a bound."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from backports import zstd
from gate_events import event
from hypothesis import given
from hypothesis import strategies as st

from assay.app.bench.bodies import arrow_body, avro_body
from assay.app.gate.arrow_messages import KINDS, is_packed
from assay.app.gate.avro_container import container_of
from assay.app.gate.body_arrow import arrow_items
from assay.app.gate.body_avro import SCHEMA_BYTES_MAX, avro_items
from assay.app.gate.coding import unpacked
from assay.app.gate.media_types import BATCH_TYPES
from assay.app.gate.plain_payments import PlainItem
from assay.codecs.varint import varint
from assay.contracts.errors import Quarantine
from assay.contracts.ingest_schemas import ingest_schema
from assay.contracts.limits import BODY_BYTES_MAX, COLUMNS_MAX, NESTING_MAX
from assay.contracts.reasons import Reason

ITEMS_MAX = 50
EVENTS = [event(f"e-{i}") for i in range(3)]
AVRO, ARROW = avro_body("payment", EVENTS), arrow_body("payment", EVENTS)
MARKER = AVRO[-16:]
SCHEMA = json.dumps(ingest_schema("payment")).encode()


def refusal_of(read: Callable[[], object]) -> Quarantine:
    with pytest.raises(Quarantine) as refused:
        read()
    assert refused.value.what and refused.value.remedy.endswith(".")
    return refused.value


def container(*blocks: tuple[int, bytes], schema: bytes = SCHEMA, codec: bytes = b"null") -> bytes:
    """A container as it is written by hand; a block is its count and its bytes."""
    fields = b"".join(varint(len(part)) + part for part in (b"avro.schema", schema, b"avro.codec", codec))
    head = b"Obj\x01" + varint(2) + fields + b"\0" + MARKER
    return head + b"".join(varint(count) + varint(len(data)) + data + MARKER for count, data in blocks)


ONE = container_of(avro_body("payment", EVENTS[:1]), ITEMS_MAX).blocks[0].data


@pytest.mark.parametrize(
    ("body", "reason", "where"),
    [
        pytest.param(b"", Reason.BODY_INVALID, "byte 0", id="nothing"),
        pytest.param(b"[]", Reason.BODY_INVALID, "byte 0", id="JSON"),
        pytest.param(AVRO[:-1], Reason.BODY_INVALID, "$", id="cut off in the last marker"),
        pytest.param(AVRO[:40], Reason.BODY_INVALID, "$", id="cut off in the header"),
        pytest.param(AVRO + b"\0", Reason.BODY_INVALID, "$", id="bytes behind the end"),
        pytest.param(AVRO[:-1] + b"!", Reason.BODY_INVALID, "$", id="another marker"),
        pytest.param(container((2, ONE)), Reason.BODY_INVALID, "block 0", id="fewer records than the block says"),
        pytest.param(container((1, ONE + ONE)), Reason.BODY_INVALID, "block 0", id="more records than the block says"),
        pytest.param(container((1, ONE), (1, ONE + varint(1) + ONE)), Reason.BODY_INVALID, "block 1", id="a block within a block"),
        pytest.param(container((1, ONE[:-1])), Reason.BODY_INVALID, "block 0", id="a record that ends early"),
        pytest.param(container((1, ONE.replace(b"purchase", b"purchas\xff"))), Reason.BODY_INVALID, "block 0", id="no UTF-8"),
        pytest.param(container((0, b"")), Reason.BODY_INVALID, "$", id="a block without a record"),
        pytest.param(container((-1, ONE)), Reason.BODY_INVALID, "$", id="a block of less than nothing"),
        pytest.param(container((ITEMS_MAX + 1, ONE)), Reason.BODY_OVER_LIMIT, "", id="more records than are taken"),
        pytest.param(container((1, ONE), codec=b"snappy"), Reason.CODING_UNSUPPORTED, "avro.codec", id="another codec"),
        pytest.param(container((1, ONE), codec=b"deflate"), Reason.BODY_INVALID, "avro.codec", id="not packed as it says"),
        pytest.param(
            container((1, zlib.compress(b" " * (17 << 20), wbits=-15)), codec=b"deflate"),
            Reason.BODY_OVER_LIMIT,
            "",
            id="a bomb of deflate",
        ),
        pytest.param(
            container((1, zstd.compress(b" " * (17 << 20))), codec=b"zstandard"), Reason.BODY_OVER_LIMIT, "", id="a bomb of zstandard"
        ),
        pytest.param(
            container(*[(1, zlib.compress(b" " * (9 << 20), wbits=-15))] * 2, codec=b"deflate"),
            Reason.BODY_OVER_LIMIT,
            "",
            id="two halves",
        ),
        pytest.param(container((1, ONE), schema=b""), Reason.BODY_INVALID, "avro.schema", id="no schema"),
        pytest.param(container((1, ONE), schema=b"{}"), Reason.BODY_INVALID, "avro.schema", id="no type"),
        pytest.param(container((1, ONE), schema=b'"long"'), Reason.BODY_INVALID, "avro.schema", id="other"),
        pytest.param(container((1, ONE), schema=b"[" * 9_000), Reason.BODY_INVALID, "avro.schema", id="a deep schema"),
        pytest.param(container((1, ONE), schema=b"\xff"), Reason.BODY_INVALID, "avro.schema", id="a schema that is no text"),
        pytest.param(container((1, ONE), schema=b" " * (SCHEMA_BYTES_MAX + 1)), Reason.BODY_INVALID, "avro.schema", id="long"),
        pytest.param(
            container((1, ONE), schema=SCHEMA.replace(b"currency", b"money")), Reason.BODY_INVALID, "avro.schema", id="another name"
        ),
    ],
)
def test_an_avro_container_that_cannot_be_read_is_refused_whole(body: bytes, reason: Reason, where: str) -> None:
    found = refusal_of(lambda: avro_items(body, ITEMS_MAX))
    assert (found.reason, found.where) == (reason, where), found


def arrow(columns: dict[str, Any], rows: int | None = None, **options: Any) -> bytes:
    """An Arrow stream of these columns."""
    table = pa.table(columns)
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table, rows)
    return bytes(written.getvalue())


def twice() -> bytes:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["event_id", "event_id"])
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return bytes(written.getvalue())


def nested(depth: int) -> Any:
    column: Any = pa.array(["x"])
    for _ in range(depth):
        column = pa.StructArray.from_arrays([column], ["a"])
    return column


def no_utf8() -> Any:
    return pa.Array.from_buffers(pa.utf8(), 1, [None, pa.py_buffer(struct.pack("<ii", 0, 1)), pa.py_buffer(b"\xff")])


SHARED = pa.DictionaryArray.from_arrays(pa.array([0] * 20, pa.int8()), pa.array(["x" * (1 << 20)]))
VIEW = struct.pack("<i4sii", 1 << 20, b"xxxx", 0, 0)
VIEWS = pa.Array.from_buffers(pa.string_view(), 20, [None, pa.py_buffer(VIEW * 20), pa.py_buffer(b"x" * (1 << 20))])
TEXTS = ["x" * (1 << 20)] * 20


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        pytest.param(b"", Reason.BODY_INVALID, "end", id="nothing"),
        pytest.param(b"[]", Reason.BODY_INVALID, "end", id="JSON"),
        pytest.param(ARROW[:-8], Reason.BODY_INVALID, "mark of its end", id="cut off between messages"),
        pytest.param(ARROW[:-64] + ARROW[-8:], Reason.BODY_INVALID, "", id="a batch that ends early"),
        pytest.param(ARROW + ARROW, Reason.BODY_INVALID, "behind its end", id="two streams"),
        pytest.param(b"\xff\xff\xff\xff\x00\x00\x00\x00", Reason.BODY_INVALID, "", id="nothing but an end"),
        pytest.param(arrow({"event_id": ["a"]}, compression="zstd"), Reason.BODY_INVALID, "packed", id="packed buffers"),
        pytest.param(arrow({"event_id": SHARED}, compression="lz4"), Reason.BODY_INVALID, "packed", id="a packed dictionary"),
        pytest.param(arrow({"event_id": [1.5]}), Reason.BODY_INVALID, "double", id="a real number"),
        pytest.param(arrow({"event_id": [b"a"]}), Reason.BODY_INVALID, "binary", id="bytes"),
        pytest.param(arrow({"event_id": [["a"]]}), Reason.BODY_INVALID, "list", id="a list"),
        pytest.param(arrow({"ts_utc": pa.array([1], pa.timestamp("ns", "UTC"))}), Reason.BODY_INVALID, "timestamp[ns", id="nanoseconds"),
        pytest.param(arrow({"ts_utc": pa.array([1], pa.timestamp("us"))}), Reason.BODY_INVALID, "timestamp[us]", id="no zone"),
        pytest.param(arrow({"ts_utc": pa.array([1], pa.timestamp("us", "CET"))}), Reason.BODY_INVALID, "CET", id="another zone"),
        pytest.param(twice(), Reason.BODY_INVALID, "twice", id="a column twice"),
        pytest.param(arrow({"payload": nested(1)}), Reason.BODY_INVALID, "no column of an envelope", id="a payload alone"),
        pytest.param(arrow({"event_id": no_utf8()}), Reason.BODY_INVALID, "UTF8", id="no UTF-8"),
        pytest.param(arrow({"event_id": nested(NESTING_MAX + 1)}), Reason.NESTING_TOO_DEEP, "", id="deep structs"),
        pytest.param(arrow({"a": ["x"] * (ITEMS_MAX + 1)}), Reason.BODY_OVER_LIMIT, "51 items", id="more rows than are taken"),
        pytest.param(arrow({"a": pa.nulls(1 << 24)}), Reason.BODY_OVER_LIMIT, "items", id="rows without bytes"),
        pytest.param(arrow({f"{i}": ["x"] for i in range(COLUMNS_MAX + 1)}), Reason.BODY_OVER_LIMIT, "columns", id="columns without end"),
        pytest.param(arrow({"event_id": SHARED}), Reason.BODY_OVER_LIMIT, "written out", id="rows that share a word"),
        pytest.param(arrow({"event_id": VIEWS}), Reason.BODY_OVER_LIMIT, "written out", id="rows that share a view"),
        pytest.param(arrow({"event_id": TEXTS}), Reason.BODY_OVER_LIMIT, "written out", id="long texts"),
    ],
)
def test_an_arrow_stream_that_cannot_be_read_is_refused_whole(body: bytes, reason: Reason, told: str) -> None:
    found = refusal_of(lambda: arrow_items(body, ITEMS_MAX))
    assert found.reason is reason, found
    assert told in found.what, found


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_each_message_tells_whether_its_buffers_are_packed(compression: str | None) -> None:
    body = arrow({"event_id": SHARED}, compression=compression)
    messages = [one for one in pa.ipc.MessageReader.open_stream(pa.BufferReader(body)) if one.type in KINDS]
    told = {one.type: is_packed(one.metadata.to_pybytes(), one.type) for one in messages}
    assert told == dict.fromkeys(KINDS, compression is not None)


def test_a_stream_of_empty_batches_has_an_end() -> None:
    table = pa.table({"event_id": pa.array([], pa.utf8())})
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        for _ in range(ITEMS_MAX + 1):
            stream.write_batch(pa.record_batch({"event_id": pa.array([], pa.utf8())}))
    assert refusal_of(lambda: arrow_items(bytes(written.getvalue()), ITEMS_MAX)).reason is Reason.BODY_OVER_LIMIT


@pytest.mark.parametrize("media", BATCH_TYPES)
@given(data=st.data())
def test_a_damaged_body_is_refused_or_read_and_nothing_else(media: str, data: st.DataObject) -> None:
    body = bytearray(AVRO if "avro" in media else ARROW)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        items = BATCH_TYPES[media](bytes(body), ITEMS_MAX)
    except Quarantine as refused:
        assert refused.reason in (Reason.BODY_INVALID, Reason.BODY_OVER_LIMIT, Reason.CODING_UNSUPPORTED, Reason.NESTING_TOO_DEEP)
    else:
        assert all(isinstance(item, bytes | PlainItem) for item in items)


PLAIN = b"0123456789" * 49


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(zstd.compress(PLAIN), PLAIN, id="a frame"),
        pytest.param(zstd.compress(PLAIN) + zstd.compress(b"more"), PLAIN + b"more", id="two frames"),
        pytest.param(zstd.compress(b"") + zstd.compress(PLAIN), PLAIN, id="an empty frame first"),
        pytest.param(zstd.compress(b"x" * 500), b"x" * 500, id="just as much as is taken"),
        pytest.param(zstd.compress(b"x" * 501), Reason.BODY_OVER_LIMIT, id="one byte more"),
        pytest.param(zstd.compress(b"x" * 300) + zstd.compress(b"x" * 300), Reason.BODY_OVER_LIMIT, id="too much in two frames"),
        pytest.param(zstd.compress(b"\0" * (1 << 26)), Reason.BODY_OVER_LIMIT, id="a bomb"),
        pytest.param(zstd.compress(PLAIN)[:-1], Reason.BODY_INVALID, id="cut off"),
        pytest.param(zstd.compress(PLAIN) + b"\0", Reason.BODY_INVALID, id="a byte behind the end"),
        pytest.param(zstd.compress(PLAIN) + zstd.compress(b"more")[:-2], Reason.BODY_INVALID, id="a second frame that is cut off"),
        pytest.param(gzip.compress(PLAIN), Reason.BODY_INVALID, id="gzip"),
        pytest.param(b"", Reason.BODY_INVALID, id="nothing"),
        pytest.param(
            zstd.compress(b"x" * 9, options={zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}),
            b"x" * 9,
            id="a window that its content does not need",
        ),
    ],
)
def test_zstd_is_unpacked_up_to_a_bound(body: bytes, found: bytes | Reason) -> None:
    if isinstance(found, bytes):
        assert unpacked(body, "zstd", 500) == unpacked(body, "ZSTD", 500) == found
    else:
        assert refusal_of(lambda: unpacked(body, "zstd", 500)).reason is found


def test_a_body_of_avro_may_have_as_many_bytes_as_any_other() -> None:
    rows = list(fastavro.reader(io.BytesIO(AVRO)))
    assert len(rows) == len(avro_items(AVRO, ITEMS_MAX)) == len(EVENTS)
    assert len(AVRO) < BODY_BYTES_MAX
    (by_hand,), (first, *_) = avro_items(container((1, ONE)), ITEMS_MAX), avro_items(AVRO, ITEMS_MAX)
    assert isinstance(by_hand, PlainItem)
    assert isinstance(first, PlainItem)
    assert by_hand.raw == first.raw
