"""The agent that decides; nothing is wrong with it."""

from __future__ import annotations

from typing import Any

from engine.stock.left_out.app import app, decisions, payments


@app.agent(payments)
async def decide(stream: Any) -> None:
    """Every payment is decided."""
    async for amount in stream:
        await decisions.send(value=amount)
