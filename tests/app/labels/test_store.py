"""A label becomes a record keyed by its payment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from assay.app.labels.store import accept
from assay.codecs.columns import Strings

PAYMENT_US = 1_522_540_831_000_000


class Told(NamedTuple):
    subject_event_id: str = "evt-1"
    subject_ts_utc: str = "2018-04-01T00:00:31.000000Z"
    label: str = "FRAUD"
    source: str = "desk"


def test_records_are_keyed_by_the_payment() -> None:
    columns, keys = accept([Told(), Told("zahlung-ü-7", label="LEGIT")])
    assert keys == [b"evt-1", "zahlung-ü-7".encode()]
    texts = {name: column.text() for name, column in columns.items() if isinstance(column, Strings)}
    assert texts == {"subject_event_id": ["evt-1", "zahlung-ü-7"], "label": ["FRAUD", "LEGIT"], "source": ["desk", "desk"]}
    assert np.array_equal(np.asarray(columns["subject_ts_utc"]), [PAYMENT_US, PAYMENT_US])
