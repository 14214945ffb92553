"""Workload W on Faust after a tuning pass, inside its documented interfaces: batches, one packed table, larger buffers.

`python -m bench.peers.faust_tuned BOOTSTRAP GROUP INPUT OUTPUT DIRECTORY WEB_PORT`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import faust
from bench.peers.key_windows import decide

BATCH_RECORDS = int(os.environ.get("T_BATCH", "2000"))
BATCH_WAIT_S = 0.2


def build(bootstrap: str, group: str, source: str, target: str, directory: str, web_port: int) -> faust.App:
    """The app with its one agent."""
    E = os.environ.get
    app = faust.App(
        group, broker=f"kafka://{bootstrap}", store="memory://", datadir=directory, web_port=web_port, autodiscover=False,
        broker_max_poll_records=int(E("T_POLL", "4000")), stream_buffer_maxsize=int(E("T_BUF", "8192")),
        consumer_max_fetch_size=4 << 20,
        stream_wait_empty=False, producer_linger=float(E("T_LINGER", "0.02")), producer_max_batch_size=1 << 18,
        producer_threaded=E("T_THR", "") == "1",
    )  # fmt: skip
    payments = app.topic(source, key_type=bytes, value_type=bytes, value_serializer="raw")
    answers = app.topic(target, key_type=bytes, value_type=bytes, value_serializer="raw")
    table = app.Table("windows", partitions=1, key_type=bytes, value_type=bytes)

    @app.agent(payments)
    async def decide_all(stream: Any) -> None:
        async for batch in stream.take(BATCH_RECORDS, within=BATCH_WAIT_S):
            touched: dict[bytes, bytes] = {}

            def packed(key: bytes, touched: dict[bytes, bytes] = touched) -> bytes | None:
                return touched.get(key) or table.get(key)

            for value in batch:
                account, answer = decide(value, packed, touched.__setitem__)
                if E("T_SOON"):
                    answers.send_soon(key=account, value=answer)
                else:
                    await answers.send(key=account, value=answer)
            for key, state in touched.items():
                table[key] = state

    return app


if __name__ == "__main__":
    _bootstrap, _group, _source, _target, _directory, _web_port = sys.argv[1:7]
    _app = build(_bootstrap, _group, _source, _target, _directory, web_port=int(_web_port))
    _app.Worker(loglevel="warn", quiet=True).execute_from_commandline()
