"""The app; `autodiscover=True` looks for agents in the whole package."""

from __future__ import annotations

import os

import faust

ID = os.environ["STOCK_ID"]
app = faust.App(
    ID,
    broker=os.environ["STOCK_BROKER"],
    datadir=os.environ["STOCK_DATA"],
    store="memory://",
    autodiscover=True,
    origin="engine.stock.left_out",
)
payments = app.topic(f"{ID}-payments", value_type=int)  # type: ignore[arg-type]  # its guide has plain types here
decisions = app.topic(f"{ID}-decisions")
audit = app.topic(f"{ID}-audit")
