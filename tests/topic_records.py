"""A bank's topic for tests: mappings, records as they lie on it, and a topic in memory that is read as a real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gate_events import NOW_US, SCOPE

from assay.app.bus.foreign_topic import Fetched, Look, OutOfRange
from assay.app.connect.batches import Items, TopicValue, items_of
from assay.app.connect.topic_mapping import TopicMapping, topic_mapping
from assay.app.connect.values import json_record
from assay.contracts.pins import PIN_NAMES, Pins

TOPIC = "bank.payments"
FUTURE_US = 300_000_000
PINS = Pins(**{name: SCOPE[name] for name in PIN_NAMES})  # type: ignore[arg-type]
PAYMENTS = """
mapping: cards
revision: "1"
output_id: card_payments
id: id
time: {column: at}
amount: {column: amount}
currency: {constant: EUR}
kind: {constant: purchase}
entities: {customer: who.customer, terminal: terminal}
attributes: [channel]
"""
LABELS = """
event_id: payment
time: {column: told, unit: ms}
label: {column: status, fraud: [lost], legit: [won]}
source: disputes
"""


def mapping_of(folder: Path, text: str = PAYMENTS, fields: frozenset[str] | None = None) -> TopicMapping:
    """The mapping of a topic, from a file."""
    path = folder / "mapping.yaml"
    path.write_text(text)
    return topic_mapping(str(path), TOPIC, PINS, str(SCOPE["run_id"]), FUTURE_US, fields)


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A payment as the bank writes it; a change to `...` takes a field away."""
    made = {
        "id": f"p{number}",
        "at": f"2025-03-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
        "amount": 12.5 + number % 7,
        "who": {"customer": f"c{number % 5}"},
        "terminal": f"t{number % 3}",
        "channel": "pos",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def value_of(document: Any) -> bytes:
    """Its bytes on the topic."""
    return json.dumps(document).encode()


def read(mapping: TopicMapping, *values: bytes | None, first: int = 0) -> Items:
    """What values at offsets from `first` on are."""
    return items_of([TopicValue(first + at, value) for at, value in enumerate(values)], mapping, json_record, 0, NOW_US)


def bodies(items: Items) -> list[dict[str, Any]]:
    """The items as JSON."""
    return [json.loads(body) for body in items.rows["body"]]


class MemoryTopic:
    """Partitions of (offset, value). `at_once` records come with one fetch; offsets before `first` are gone."""

    def __init__(self, partitions: list[list[tuple[int, bytes | None]]], at_once: int = 3) -> None:
        self.partitions, self.at_once, self.topic_id = partitions, at_once, "id-1"
        self.first = 0

    def look(self) -> Look:
        """The topic as it is now."""
        return Look(self.topic_id, {number: (self.first, self._end(number)) for number in range(len(self.partitions))})

    @asynccontextmanager
    async def reading(self, starts: Mapping[int, int]) -> AsyncIterator[MemoryReading]:
        """Read from these offsets on."""
        yield MemoryReading(self, dict(starts))

    def _end(self, number: int) -> int:
        return self.partitions[number][-1][0] + 1 if self.partitions[number] else self.first


class MemoryReading:
    """One reader of some partitions."""

    def __init__(self, topic: MemoryTopic, at: dict[int, int]) -> None:
        self._topic, self._at = topic, at

    async def next(self, partition: int, records_max: int, wait_s: float) -> Fetched:
        """What follows."""
        await asyncio.sleep(0)
        at = self._at[partition]
        if at < self._topic.first:
            raise OutOfRange
        found = [one for one in self._topic.partitions[partition] if one[0] >= at][: min(records_max, self._topic.at_once)]
        self._at[partition] = found[-1][0] + 1 if found else at
        return Fetched(found, self._at[partition])
