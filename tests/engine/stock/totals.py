"""A table of totals per key, as in Faust's guide: each payment adds to its key's total and the new total is sent on."""

from __future__ import annotations

import os
from typing import Any

import faust

ID = os.environ["STOCK_ID"]
app = faust.App(
    ID,
    broker=os.environ["STOCK_BROKER"],
    datadir=os.environ["STOCK_DATA"],
    store="memory://",
    topic_partitions=int(os.environ.get("STOCK_PARTITIONS", "1")),
    stream_buffer_maxsize=int(os.environ.get("STOCK_BUFFER", "4096")),
    broker_max_poll_records=int(os.environ.get("STOCK_POLL", "0")) or None,
    processing_guarantee=os.environ.get("STOCK_GUARANTEE", "at_least_once"),
)
payments = app.topic(f"{ID}-payments", key_type=str, value_type=int)  # type: ignore[arg-type]  # its guide has plain types here
sums = app.topic(f"{ID}-sums", key_type=str)
totals = app.Table("totals", key_type=str, value_type=int, default=int)


@app.agent(payments)
async def add(stream: Any) -> None:
    """One payment at a time."""
    async for event in stream.events():
        totals[event.key] += event.value
        at = event.message
        await sums.send(key=event.key, value={"key": event.key, "sum": totals[event.key], "partition": at.partition, "offset": at.offset})


if __name__ == "__main__":
    app.main()
