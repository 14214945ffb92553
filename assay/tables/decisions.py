"""The newest decisions by event id, for the web view. A window on the output, not state: nothing is computed from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of, unpack

EVENT_ID = "source_event.event_id"

#: decisions kept; older ones are read from the topic or the audit segments
ROWS_MAX = 100_000


class FeatureNames(Protocol):
    """Names in the order of the value matrices."""

    @property
    def long_names(self) -> Sequence[str]:
        """Names of the int64 features."""

    @property
    def double_names(self) -> Sequence[str]:
        """Names of the float64 features."""


class RecentDecisions:
    """Batches of decision values in order, bounded in rows."""

    def __init__(self, names: FeatureNames, rows_max: int = ROWS_MAX) -> None:
        self._names = names
        self._rows_max = rows_max
        self._batches: deque[Strings] = deque()
        self._rows = 0

    def add(self, values: Strings) -> None:
        """Take the next batch and let go of the oldest ones beyond the bound."""
        self._batches.append(values)
        self._rows += len(values.lengths)
        while self._rows > self._rows_max and len(self._batches) > 1:
            self._rows -= len(self._batches.popleft().lengths)

    def row(self, key: str) -> dict[str, Any] | None:
        """The decision on this event as JSON, None if it is not among the newest."""
        wanted = key.encode()
        for values in reversed(list(self._batches)):  # the fold goes on in another thread meanwhile
            if wanted in values.data.tobytes() and wanted in (events := _events(values)):
                value = values.row(events.index(wanted))
                assert value is not None
                return decision_json(unpack(value)[1], self._names)
        return None


def _events(values: Strings) -> list[bytes | None]:
    """The event of each decision."""
    plan = plan_of("decision_response", frozenset({EVENT_ID}))
    events = decode(plan, values.data, values.starts, values.lengths, HEADER_BYTES).columns[EVENT_ID]
    assert isinstance(events, Strings)
    return events.tolist()


def decision_json(record: Mapping[str, Any], names: FeatureNames) -> dict[str, Any]:
    """A decision record with hex ids and its feature values by name."""
    longs = dict(zip(names.long_names, record["features"]["longs"], strict=True))
    doubles = dict(zip(names.double_names, record["features"]["doubles"], strict=True))
    plain: dict[str, Any] = _plain(record)
    return {**plain, "features": {**longs, **doubles}}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
