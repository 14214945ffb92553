"""A payload of the control bus and its Avro record say the same; what does not fit the schema is refused."""

from __future__ import annotations

from typing import Any

import pytest
from control_bus_laws import message

from assay.app.bus.record_view import plain
from assay.app.control_bus.avro_payload import record_of
from assay.codecs.single_object import pack, unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

READY = dict(message(5).payload)


def test_a_payload_is_the_record_it_was_made_of() -> None:
    name, record = record_of(READY)
    assert unpack(pack(name, record)) == (name, record)
    assert plain(record) == READY


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"event_type": "run_unheard_of"}, Reason.SCHEMA_UNKNOWN),
        ({"event_type": None}, Reason.SCHEMA_UNKNOWN),
        ({"more": 1}, Reason.VALUE_NOT_CANONICAL),
        ({"message_id": "no hex"}, Reason.VALUE_NOT_CANONICAL),
        ({"message_id": 7}, Reason.VALUE_NOT_CANONICAL),
        ({"pins": {}}, Reason.VALUE_NOT_CANONICAL),
        ({"ts_utc": "yesterday"}, Reason.VALUE_NOT_CANONICAL),
    ],
)
def test_a_payload_that_does_not_fit_is_refused(changed: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Stop) as refused:
        record_of(READY | changed)
    assert refused.value.reason is reason
