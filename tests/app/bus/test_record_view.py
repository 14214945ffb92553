"""How one record of any topic is shown."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.app.bus.record_view import shown
from assay.codecs.columns import Columns, Ragged, Strings
from assay.codecs.columns_bytes import columns_to_bytes
from assay.codecs.single_object import pack, record_type
from assay.contracts.pins import Pins

PINS = Pins("platform_20260101T000000Z", "a" * 32, "b" * 64, "c" * 64, "x", 1)


def mark(ts_us: int) -> bytes:
    """A mark's bytes."""
    return pack("mark", {"pins": PINS.as_avro(), "topic": "FP_BUS_CONTROL_V1", "partition": 0, "ts_utc": ts_us, "final": False})


def journal(columns: bytes) -> bytes:
    """A journal record's bytes."""
    head = {"shard": 0, "epoch": 1, "sequence": 2, "kind": "BATCH", "wall_time_utc": 0, "emitted_through": -1, "rows": 2}
    return pack(
        "journal_record", {**head, "code_digest": bytes(32), "run_config_digest": bytes(32), "ranges": [], "marks": [], "columns": columns}
    )


def test_ids_come_as_hex_and_times_as_rfc_3339() -> None:
    """As they stand in JSON at the borders."""
    name, value = shown(mark(1522540831000000))
    assert name == "mark"
    assert value == {
        "pins": PINS.as_json(),
        "topic": "FP_BUS_CONTROL_V1",
        "partition": 0,
        "ts_utc": "2018-04-01T00:00:31.000000Z",
        "final": False,
    }


def test_a_time_beyond_the_calendar_is_shown_as_its_number() -> None:
    """The largest int64 is no instant, and no traceback."""
    assert shown(mark(2**63 - 1))[1]["ts_utc"] == 2**63 - 1


def test_columns_of_a_journal_record_are_summed_up() -> None:
    """Names and kinds, not the rows."""
    strings = Strings.of(["a", None])
    columns: Columns = {
        "ts_us": np.zeros(2, np.int64),
        "hash": np.zeros((2, 32), np.uint8),
        "id": strings,
        "e": Ragged(np.array([0, 1, 2]), {"n": strings}),
    }
    value = shown(journal(columns_to_bytes(columns)))[1]["columns"]
    assert value["columns"] == {"e": "lists of n", "hash": "uint8[32]", "id": "strings", "ts_us": "int64"}
    assert value["bytes"] > 0


def test_columns_that_cannot_be_read_are_a_refusal_inside_the_record() -> None:
    """The rest of the journal record is still shown."""
    name, value = shown(journal(b"not columns, and longer than a head"))
    assert (name, value["sequence"], value["columns"]["refused"]) == ("journal_record", 2, "BYTES_GARBAGE")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "BYTES_TRUNCATED"),
        (b"{}", "BYTES_TRUNCATED"),
        (b"plain text of some length", "SCHEMA_UNKNOWN"),
        (mark(0)[:-1], "BYTES_TRUNCATED"),
        (mark(0) + b"x", "BYTES_OVERSIZED"),
        (record_type("mark").header + b"\xff" * 40, "BYTES_GARBAGE"),
    ],
)
def test_bytes_that_cannot_be_decoded_are_shown_as_a_refusal(value: bytes, reason: str) -> None:
    """With the reason and the bytes summed up."""
    name, refused = shown(value)
    assert (name, refused["reason"]) == ("refused", reason)
    assert refused["raw"]["bytes"] == len(value)


def test_a_tombstone_is_shown_as_one() -> None:
    """Null is a value of its own on a compacted topic."""
    assert shown(None) == ("tombstone", None)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda body: record_type("mark").header + body))
def test_no_bytes_raise_and_all_can_be_printed(value: bytes) -> None:
    """Never a traceback."""
    name, found = shown(value)
    printed: Any = json.loads(json.dumps([name, found]))
    assert printed[0] == name
