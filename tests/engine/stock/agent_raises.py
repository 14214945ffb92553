"""An agent with a bug that one payment meets: the documentation's plain loop, no error handler of its own."""

from __future__ import annotations

import os
from typing import Any

import faust

ID = os.environ["STOCK_ID"]
app = faust.App(ID, broker=os.environ["STOCK_BROKER"], datadir=os.environ["STOCK_DATA"], store="memory://")
payments = app.topic(f"{ID}-payments", value_type=int)  # type: ignore[arg-type]  # its guide has plain types here
decisions = app.topic(f"{ID}-decisions")


@app.agent(payments)
async def decide(stream: Any) -> None:
    """Nobody thought of a payment of nothing."""
    async for amount in stream:
        await decisions.send(value={"amount": amount, "share": 100 / amount})


if __name__ == "__main__":
    app.main()
