"""Workload W on Faust after a tuning pass that stays with its tables, topics and agents.

`python -m bench.peers.faust_tuned BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY WEB_PORT`. The steps away from faust_plain:

* the lane's Avro bytes in and out, read by hand and written by fastavro, instead of JSON documents and Faust's records;
* rings of buckets with running totals, packed into bytes, instead of nested dicts that are summed for every value;
* `take` a batch, fold all of it, and set a touched key once: one changelog record per key and batch instead of five per event.
  `take` hides the current event, so the table finds its partition by `use_partitioner`;
* the buffer between a table and the producer holds 20,000 records instead of 100, which is no setting but an attribute of its class: over
  that, Faust waits for a hundred acknowledged sends before each further event;
* fetches of 4 MB, 4,000 records a poll, a stream buffer of 8,192, no wait for an empty stream, and a linger of 20 ms with producer batches
  of 256 KiB.

Single runs on a machine with a load of 10 to 20, so they only show what hurts (events/s of wall time, with batches of 2,000 and the small
buffer if not said otherwise): 303; batches of 5,000 425, of 500 not done within three minutes; `send_soon` for answers 358; a producer in
a thread of its own 250; no linger 106. All steps together gave 1,263 events per CPU-second in such an hour, faust_plain 538.
"""

from __future__ import annotations

import sys
from typing import Any

import faust
from bench.peers.key_windows import decide
from faust.transport.producer import ProducerBuffer

BATCH_RECORDS = 5_000
BATCH_WAIT_S = 1.0
BUFFERED_RECORDS = 20_000


def build(bootstrap: str, group: str, source: str, target: str, directory: str, web_port: int) -> faust.App:
    """The app with its one agent."""
    ProducerBuffer.max_messages = BUFFERED_RECORDS
    app = faust.App(
        group, broker=f"kafka://{bootstrap}", store="memory://", datadir=directory, web_port=web_port, autodiscover=False,
        consumer_max_fetch_size=4 << 20, broker_max_poll_records=4_000, stream_buffer_maxsize=8_192, stream_wait_empty=False,
        producer_linger=0.02, producer_max_batch_size=1 << 18,
    )  # fmt: skip
    payments = app.topic(source, key_type=bytes, value_type=bytes, value_serializer="raw")
    answers = app.topic(target, key_type=bytes, value_type=bytes, value_serializer="raw")
    table = app.Table("windows", partitions=1, key_type=bytes, value_type=bytes, use_partitioner=True)

    @app.agent(payments)
    async def decide_batches(stream: Any) -> None:
        async for batch in stream.take(BATCH_RECORDS, within=BATCH_WAIT_S):
            touched: dict[bytes, bytes] = {}

            def packed(key: bytes, touched: dict[bytes, bytes] = touched) -> bytes | None:
                return touched.get(key) or table.get(key)

            for value in batch:
                account, answer = decide(value, packed, touched.__setitem__)
                await answers.send(key=account, value=answer)
            for key, state in touched.items():
                table[key] = state

    return app


if __name__ == "__main__":
    _bootstrap, _group, _source, _target, _directory, _web_port = sys.argv[1:7]
    _app = build(_bootstrap, _group, _source, _target, _directory, web_port=int(_web_port))
    _app.Worker(loglevel="warn", quiet=True).execute_from_commandline()
