"""Each field of the envelope has a value that is taken and one that is refused, with the code and the place of the refusal."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from gate_events import SCOPE, event, examined

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.border import Envelope


class Field(NamedTuple):
    """A field: a value that is taken, one that is refused, and the code."""

    name: str
    taken: Any
    refused: Any
    code: str


FIELDS = [
    Field("event_id", "x" * 256, "x" * 257, "ENVELOPE_INVALID"),
    Field("event_type", "AUTH_REQUEST", "auth_request", "EVENT_TYPE_UNKNOWN"),
    Field("schema_version", "v1", "v0", "SCHEMA_VERSION_NOT_ALLOWED"),
    Field("ts_utc", "2018-04-01T00:00:31.000001Z", "2018-04-01T00:00:31Z", "ENVELOPE_INVALID"),
    Field("platform_run_id", SCOPE["platform_run_id"], "platform_20260101", "PINS_INVALID"),
    Field("scenario_run_id", SCOPE["scenario_run_id"], "5C" * 16, "PINS_INVALID"),
    Field("manifest_fingerprint", SCOPE["manifest_fingerprint"], "ab" * 31, "PINS_INVALID"),
    Field("parameter_hash", SCOPE["parameter_hash"], "00" * 32, "RUN_SCOPE_MISMATCH"),
    Field("scenario_id", SCOPE["scenario_id"], "another", "RUN_SCOPE_MISMATCH"),
    Field("seed", SCOPE["seed"], 2**64, "PINS_INVALID"),
    Field("run_id", SCOPE["run_id"], "eg" * 16, "PINS_INVALID"),
    Field("producer", "p" * 128, "", "ENVELOPE_INVALID"),
    Field("emitted_at_utc", "2018-04-01T00:00:32.000000Z", "2018-04-01 00:00:32", "ENVELOPE_INVALID"),
    Field("trace_id", "t" * 128, "t" * 129, "ENVELOPE_INVALID"),
    Field("span_id", "s", 7, "ENVELOPE_INVALID"),
    Field("parent_event_id", "p" * 256, "", "ENVELOPE_INVALID"),
    Field("payload", event()["payload"], [], "ENVELOPE_INVALID"),
]


def test_the_table_has_every_field() -> None:
    """`source_order` is ours: the place of an event among those of one time."""
    assert {field.name for field in FIELDS} == {one.name for one in msgspec.structs.fields(Envelope)} - {"source_order"}
    assert len(FIELDS) == 17


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: str(field.name))
def test_one_value_is_taken_and_one_refused_at_its_place(field: Field) -> None:
    assert isinstance(examined({**event(), field.name: field.taken}), Admissible)
    found = examined({**event(), field.name: field.refused})
    assert isinstance(found, RefusedEvent)
    assert (found.reason.value, found.where) == (field.code, f"$.{field.name}")
