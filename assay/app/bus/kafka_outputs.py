"""Where a lane's emissions go: the output topics of the lane on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from assay.agents.step import Emission
from assay.app.bus.finished_batch import SMALL_ROWS, lots_of
from assay.app.bus.lane_producer import LaneProducer
from assay.codecs.record_batch import RecordBatch

OUTPUT_BATCH_BYTES_MAX = 1_000_000


class KafkaOutputs:
    """`topics` maps handles to real topic names. `properties` are librdkafka's (TLS, SASL)."""

    def __init__(self, bootstrap: str, topics: Mapping[str, str], properties: Mapping[str, str] | None = None) -> None:
        self._topics = dict(topics)
        self._producer = LaneProducer(bootstrap, properties, ", ".join(self._topics.values()), OUTPUT_BATCH_BYTES_MAX)
        self.records_written = 0

    async def start(self) -> None:
        """Connect, once. Raises Stop(PRODUCE_FAILED) when the broker does not answer."""
        await self._producer.start()

    async def close(self) -> None:
        """Let go of the connection; batches under way are waited for."""
        await self._producer.close()

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        """Write all records, in order within each partition; return when the broker has acknowledged every one.

        Raises Stop(PRODUCE_FAILED) when one is not known to be written; some of the others may be.
        """
        framed = partial(lots_of, emissions, wall_ms, OUTPUT_BATCH_BYTES_MAX)
        lots = framed() if sum(len(e.partitions) for e in emissions) < SMALL_ROWS else await asyncio.to_thread(framed)
        tps: dict[tuple[str, int], list[RecordBatch]] = {}
        for lot in lots:
            tps.setdefault((self._topics[lot.handle], lot.partition), []).extend(lot.batches)
        await self._producer.write(tps)
        self.records_written += sum(batch.records for batches in tps.values() for batch in batches)
