"""Records that nobody can read, made from those that are there, with the reason each must be refused for."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from assay.agents.step import TopicPartition
from assay.app.simulation.log import LoggedRecord, ModelLog
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

    tp: TopicPartition
    offset: int
    reason: Reason


class Planter:
    """Publishes poison to partitions of a model log."""

    def __init__(self, log: ModelLog, random: Random) -> None:
        self._log = log
        self._random = random
        self.planted: list[PoisonRecord] = []

    def plant(self, kind: str, tps: Sequence[TopicPartition]) -> None:
        """Publish one record of this kind to one of these partitions; garbage where there is nothing yet to cut short.

        A record that the topic does not carry is refused for that, however short it is.
        """
        tp = self._random.choice(tps)
        whole = self._log.read(tp, self._random.randrange(max(1, self._log.end(tp))), 1)
        if not whole or len(whole[0].value) <= HEADER_BYTES + 1 or not _carried(tp, whole[0].value):
            kind = "garbage"
        value = self._random.randbytes(self._random.randint(1, 60))
        if kind == "truncated":
            value = whole[0].value[: self._random.randrange(HEADER_BYTES + 1, len(whole[0].value))]
        elif kind == "unknown_schema":
            value = whole[0].value[:2] + self._random.randbytes(8) + whole[0].value[HEADER_BYTES:]
        offset = self._log.append(tp, LoggedRecord(b"", value, 0))
        self.planted.append(PoisonRecord(tp, offset, KINDS[kind]))


def _carried(tp: TopicPartition, value: bytes) -> bool:
    number = int(split(Strings.of([value]))[0])
    return number >= 0 and record_types()[number].name in (*topic(tp[0]).records, "mark")
