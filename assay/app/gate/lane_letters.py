"""Payments that a lane set aside, by event id: each dead letter on the bus is read once, and its place is remembered."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import numpy as np

from assay.app.bus.admin import Bounds
from assay.app.bus.topic_reader import TopicRecord
from assay.codecs.quarantine import LaneLetter, lane_letter

#: a look reads at most so many letters; the next look goes on behind them
LETTERS_MAX: Final = 20_000
#: between two looks; whoever asks in between is told what is known
EVERY_S: Final = 1.0


class Letters(Protocol):
    """The quarantine topic, as `TopicReader` reads it."""

    def bounds(self) -> Bounds:
        """The offsets that it holds now."""

    def records(self, bounds: Bounds | None = None) -> Iterable[TopicRecord]:
        """Its records within `bounds`."""


class LaneLetters:
    """Remembers 24 bytes per payment that was set aside. One thread uses it."""

    def __init__(self, topic: Letters, clock_s: Callable[[], float] = time.monotonic, letters_max: int = LETTERS_MAX) -> None:
        self._topic, self._clock_s, self._letters_max = topic, clock_s, letters_max
        self._names, self._partitions, self._offsets = array("Q"), array("q"), array("q")
        self._next: dict[int, int] = {}
        self._looked_s = -EVERY_S

    def of(self, event_id: str) -> LaneLetter | None:
        """The letter of a payment, if one was found so far. Raises Retry(BROKER_UNREACHABLE), Stop(TOPIC_UNKNOWN)."""
        if self._clock_s() - self._looked_s >= EVERY_S:
            self._look()
            self._looked_s = self._clock_s()
        for place in np.flatnonzero(np.array(self._names, np.uint64) == _short(event_id)).tolist():
            offset = self._offsets[place]
            for record in self._topic.records({self._partitions[place]: (offset, offset + 1)}):
                letter = _letter(record)
                if letter is not None and letter.is_of(event_id):
                    return letter
        return None

    def _look(self) -> None:
        """Read what came since the last look."""
        limits: dict[int, tuple[int, int]] = {}
        for partition, (first, end) in self._topic.bounds().items():
            begin = max(first, self._next.get(partition, 0))
            limits[partition] = begin, min(end, begin + self._letters_max)
        for record in self._topic.records(limits):
            letter = _letter(record)
            if letter is not None and letter.is_of(letter.event_id):
                self._names.append(_short(letter.event_id))
                self._partitions.append(record.partition)
                self._offsets.append(record.offset)
            self._next[record.partition] = record.offset + 1
        self._next |= {partition: end for partition, (begin, end) in limits.items() if end > begin}


def _letter(record: TopicRecord) -> LaneLetter | None:
    return None if record.value is None else lane_letter(record.value)


def _short(event_id: str) -> int:
    return int.from_bytes(hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).digest()[:8])
