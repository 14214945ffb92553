"""Records that nobody can read, made from those that are there, with the reason each must be refused for."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from assay.agents.step import Place
from assay.app.simulation.log import ModelLog, Record
from assay.codecs.columns import Strings
from assay.codecs.single_object import HEADER_BYTES, record_types, split
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

KINDS = {
    "garbage": Reason.SCHEMA_UNKNOWN,
    "unknown_schema": Reason.SCHEMA_UNKNOWN,
    "truncated": Reason.BYTES_TRUNCATED,
}


class PoisonRecord(NamedTuple):
    """Where it lies and what it must be refused for."""

    place: Place
    offset: int
    reason: Reason


class Planter:
    """Publishes poison to partitions of a model log."""

    def __init__(self, log: ModelLog, random: Random) -> None:
        self._log = log
        self._random = random
        self.planted: list[PoisonRecord] = []

    def plant(self, kind: str, places: Sequence[Place]) -> None:
        """Publish one record of this kind to one of these partitions; garbage where there is nothing yet to cut short.

        A record that the topic does not carry is refused for that, however short it is.
        """
        place = self._random.choice(places)
        whole = self._log.read(place, self._random.randrange(max(1, self._log.end(place))), 1)
        if not whole or len(whole[0].value) <= HEADER_BYTES + 1 or not _carried(place, whole[0].value):
            kind = "garbage"
        value = self._random.randbytes(self._random.randint(1, 60))
        if kind == "truncated":
            value = whole[0].value[: self._random.randrange(HEADER_BYTES + 1, len(whole[0].value))]
        elif kind == "unknown_schema":
            value = whole[0].value[:2] + self._random.randbytes(8) + whole[0].value[HEADER_BYTES:]
        offset = self._log.append(place, Record(b"", value, 0))
        self.planted.append(PoisonRecord(place, offset, KINDS[kind]))


def _carried(place: Place, value: bytes) -> bool:
    number = int(split(Strings.of([value]))[0])
    return number >= 0 and record_types()[number].name in (*topic(place[0]).records, "mark")
