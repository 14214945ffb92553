"""The label store, as far as it goes today: a pure step from label assertions handed over by the gate to records of the labels topic.

It runs in the gate's process and is the only place that makes such records: what a label says is decided here, how events are
deduplicated, published and receipted is the gate's. Labels are never changed: a correction is a later assertion on the same subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from assay.codecs.columns import Columns, Strings
from assay.contracts import instants


class LabelPayload(Protocol):
    """What a label assertion says about an earlier payment."""

    @property
    def subject_event_id(self) -> str:
        """The payment's event id."""

    @property
    def subject_ts_utc(self) -> str:
        """The payment's time, RFC 3339 with six fraction digits."""

    @property
    def label(self) -> str:
        """FRAUD or LEGIT."""

    @property
    def source(self) -> str:
        """Who says so."""


def accept(payloads: Sequence[LabelPayload]) -> tuple[Columns, list[bytes]]:
    """The columns a label_assertion record has of its own, and the records' keys (the payments' event ids)."""
    keys = [payload.subject_event_id.encode() for payload in payloads]
    columns: Columns = {
        "subject_event_id": Strings.of(keys),
        "subject_ts_utc": np.array([instants.parse(payload.subject_ts_utc) for payload in payloads], np.int64),
        "label": Strings.of([payload.label for payload in payloads]),
        "source": Strings.of([payload.source for payload in payloads]),
    }
    return columns, keys
