"""Every value on the bus says its schema: headers, type indexes, and the way of one record through both forms."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import fastavro
import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.avro_decode import decode
from assay.codecs.columns import Columns, Strings, take
from assay.codecs.single_object import (
    HEADER_BYTES,
    encoder_of,
    pack,
    pins_body,
    plan_of,
    record_type,
    record_types,
    split,
    type_index,
    unpack,
)
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

PINS: dict[str, Any] = {
    "platform_run_id": "platform_20250101T000000Z",
    "scenario_run_id": b"1" * 16,
    "manifest_fingerprint": b"2" * 32,
    "parameter_hash": b"3" * 32,
    "scenario_id": "handbook",
    "seed": 42,
}
MARK: dict[str, Any] = {"pins": PINS, "topic": "FP_BUS_RTDL_V1", "partition": 2, "ts_utc": 2**62, "final": True}


def crc64_avro(data: bytes) -> int:
    """CRC-64-AVRO, bit by bit, as the Avro specification defines it."""
    fingerprint = 0xC15D213AA4D7A795
    for byte in data:
        fingerprint ^= byte
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (0xC15D213AA4D7A795 & -(fingerprint & 1))
    return fingerprint


def test_headers_are_the_mark_of_single_objects_and_the_fingerprint_of_the_canonical_schema() -> None:
    for known in record_types():
        canonical = fastavro.schema.to_parsing_canonical_form(known.schema)
        assert known.header == b"\xc3\x01" + crc64_avro(canonical.encode()).to_bytes(8, "little")


def test_every_schema_file_is_a_record_type_with_its_own_header() -> None:
    folder = resources.files("assay.contracts").joinpath("schemas", "avro")
    files = {file.name for file in folder.iterdir() if file.name.endswith(".avsc")}
    assert [known.name for known in record_types()] == sorted({name.split(".")[0] for name in files})
    assert len({known.header for known in record_types()}) == len(record_types())
    assert all(json.loads(folder.joinpath(name).read_text("utf-8"))["name"] == name.split(".")[0] for name in files)


def test_one_record_goes_to_bytes_and_back_with_times_as_integers() -> None:
    value = pack("mark", MARK)
    assert unpack(value) == ("mark", MARK)
    assert split(Strings.of([value])).tolist() == [type_index("mark")]


def test_a_batch_of_values_is_what_single_values_are() -> None:
    values = [pack("mark", {**MARK, "partition": i, "topic": "T" * i}) for i in range(5)]
    columns: Columns = {
        "partition": np.arange(5), "topic": Strings.of(["T" * i for i in range(5)]), "ts_utc": np.full(5, MARK["ts_utc"]),
        "final": np.full(5, MARK["final"]),
    }  # fmt: skip
    encoder = encoder_of("mark", {"pins": pins_body(PINS)})
    for index in (np.array([4, 0, 2]), np.arange(5), np.array([], np.int64)):
        assert encoder.encode(take(columns, index)).tolist() == [values[i] for i in index.tolist()]


def test_pins_have_the_body_they_have_inside_a_record() -> None:
    assert pack("mark", MARK)[HEADER_BYTES:].startswith(pins_body(PINS))


def test_values_without_a_known_header_have_no_type() -> None:
    value = pack("mark", MARK)
    other = bytes([value[0], value[1], value[2] ^ 1]) + value[3:]
    values = Strings.of([value, None, b"", value[:9], value[:10], b"\xc3\x02" + value[2:], other, b"\0" * 40])
    mark = type_index("mark")
    assert split(values).tolist() == [mark, -1, -1, -1, mark, -1, -1, -1]
    assert split(Strings(values.data, values.starts + 10**9, values.lengths)).tolist() == [-1] * 8


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\xc3\x01", Reason.BYTES_TRUNCATED),
        (b"\xc3\x01" + b"\0" * 8, Reason.SCHEMA_UNKNOWN),
        (pack("mark", MARK)[:-1], Reason.BYTES_TRUNCATED),
        (pack("mark", MARK) + b"\0", Reason.BYTES_OVERSIZED),
        (pack("mark", MARK)[:-1] + b"\x07", Reason.BYTES_GARBAGE),
    ],
)
def test_a_value_that_cannot_be_read_is_quarantined(value: bytes, reason: Reason) -> None:
    with pytest.raises(Quarantine) as refusal:
        unpack(value)
    assert refusal.value.reason is reason


@given(st.binary(max_size=80))
@settings(deadline=None, max_examples=drawn(100))
def test_no_bytes_after_a_known_header_raise_anything_else(body: bytes) -> None:
    for known in record_types():
        try:
            assert unpack(known.header + body)[0] == known.name
        except Quarantine as refusal:
            assert refusal.reason in (Reason.BYTES_TRUNCATED, Reason.BYTES_OVERSIZED, Reason.BYTES_GARBAGE)


def test_a_name_that_never_shipped_stops() -> None:
    with pytest.raises(Stop) as refusal:
        record_type("marker")
    assert refusal.value.reason is Reason.SCHEMA_UNKNOWN


def test_every_schema_compiles_and_a_plan_is_compiled_once() -> None:
    for known in record_types():
        decoded = decode(plan_of(known.name), *Strings.of([known.header]), HEADER_BYTES)
        assert decoded.verdict.tolist() == [1]
    only = frozenset({"pins.seed"})
    assert plan_of("payment", only) is plan_of("payment", only)
    assert list(decode(plan_of("payment", only), *Strings.of([])).columns) == ["pins.seed"]
