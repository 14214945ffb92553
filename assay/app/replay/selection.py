"""Which decisions of a replay are compared: all, a range of one topic partition, or the anchors in a file.

Everything before them is folded too, because a decision depends on it; only what is compared is narrowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic, topic_named

_SOURCE = frozenset({"source_event.topic", "source_event.partition", "source_event.offset"})


class Span(NamedTuple):
    """Source events of one topic partition by offset, first and last included."""

    handle: str
    partition: int
    first: int
    last: int


class Selection:
    """Decisions whose source event lies in one of the spans."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = tuple(spans)

    def of(self, values: Strings) -> Strings:
        """The decision_response values that are selected, in their order."""
        columns = decode(plan_of("decision_response", _SOURCE), values.data, values.starts, values.lengths, HEADER_BYTES).columns
        topics_of = columns["source_event.topic"]
        assert isinstance(topics_of, Strings)
        names = np.array([(name or b"").decode() for name in topics_of.tolist()], dtype=object)
        partition, offset = (np.asarray(columns[f"source_event.{name}"]) for name in ("partition", "offset"))
        chosen: NDArray[np.bool_] = np.zeros(len(offset), np.bool_)
        for span in self._spans:
            inside = (offset >= span.first) & (offset <= span.last)
            chosen |= (names == topic(span.handle).name()) & (partition == span.partition) & inside
        return values.take(np.flatnonzero(chosen))


def selection_of(first: str, last: str, anchors: Path | None) -> Selection | None:
    """From `--from`, `--to` and `--anchors`; None when none is given. Raises Stop(REPLAY_RANGE_INVALID)."""
    spans = list(_anchors(anchors)) if anchors is not None else []
    if anchors is not None and not spans:
        raise _invalid("the file names no anchor", str(anchors))
    if first or last:
        begin, end = place_of(first or last), place_of(last or first)
        if begin[:2] != end[:2] or begin[2] > end[2]:
            raise _invalid(f"{first} to {last} is no range of one topic partition", "--from and --to")
        spans.append(Span(*begin, end[2]))
    return Selection(spans) if spans else None


def nothing_selected(first: str, last: str, anchors: Path | None) -> Stop:
    """The refusal of a comparison of no decision: it would say that nothing differs."""
    given = ", ".join(text for text in (first, last, "" if anchors is None else str(anchors)) if text)
    return _invalid("no decision of the run has a source event there", given)


def place_of(text: str) -> tuple[str, int, int]:
    """(topic handle, partition, offset) of `HANDLE:PARTITION:OFFSET`; the topic's own name will do for its handle."""
    handle, _, rest = text.partition(":")
    partition, _, offset = rest.partition(":")
    if not (partition.isdigit() and offset.isdigit()):
        raise _invalid(f"'{text}' is not TOPIC:PARTITION:OFFSET", "--from and --to")
    return _handle(handle), int(partition), int(offset)


def _anchors(path: Path) -> Iterable[Span]:
    """A JSON array of {topic, partition, offset}: the form of `eb_ref` in receipts and of source events in decisions."""
    try:
        listed: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        for anchor in listed:
            offset = int(anchor["offset"])
            yield Span(_handle(str(anchor["topic"])), int(anchor["partition"]), offset, offset)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _invalid(f"an anchor is missing or not {{topic, partition, offset}}: {error}", str(path)) from None


def _handle(name: str) -> str:
    try:
        return topic_named(name).handle
    except Stop:
        raise _invalid(f"there is no topic '{name}'", "docs/contracts.md lists them") from None


def _invalid(what: str, where: str) -> Stop:
    return Stop(Reason.REPLAY_RANGE_INVALID, what, where=where, remedy="A place is TOPIC:PARTITION:OFFSET, as a receipt's eb_ref says.")
