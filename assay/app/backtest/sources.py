"""Where a backtest reads: the journal of the run, and the topics behind it for columns that the journal does not hold."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Protocol

from assay.agents.step import Chunk
from assay.app.bus.offsets import bounds_of
from assay.app.bus.topic_reader import reader_of
from assay.app.replay.verify import read_journal, whole_journal
from assay.app.run.directory import Run


class Sources(Protocol):
    """The bytes of a run. Every call reads from the beginning, up to where things ended when the backtest began."""

    def journal(self) -> Iterator[bytes]:
        """Every record of the journal of the deciding lane, in order."""

    def begins(self, handle: str) -> Mapping[int, int]:
        """The first offset that each partition of a topic still holds."""

    def chunks(self, handle: str, partition: int) -> Generator[Chunk]:
        """The records of one partition, in offset order."""


class BusSources:
    """The topics of a run on its Kafka. `properties` are Kafka's (TLS, SASL).

    Raises Stop(JOURNAL_OUT_OF_REACH) when the head of the journal is gone, Retry(BROKER_UNREACHABLE).
    """

    def __init__(self, run: Run, properties: Mapping[str, str] | None = None) -> None:
        self._run, self._properties = run, properties
        self._journal = whole_journal(run, properties)

    def journal(self) -> Iterator[bytes]:
        return read_journal(self._run, self._properties, self._journal)

    def begins(self, handle: str) -> Mapping[int, int]:
        bounds = bounds_of(self._run.bootstrap, handle, self._run.namespace, self._properties)
        return {partition: first for partition, (first, _) in bounds.items()}

    def chunks(self, handle: str, partition: int) -> Generator[Chunk]:
        run = self._run
        bounds = {partition: bounds_of(run.bootstrap, handle, run.namespace, self._properties)[partition]}
        return reader_of(run.bootstrap, handle, run.namespace, self._properties).chunks(bounds)
