"""The agent that audits; a package it needs was not installed with the new release."""

from __future__ import annotations

from typing import Any

import ledger_of_the_bank  # type: ignore[import-not-found]  # that it is missing is the scenario

from engine.stock.left_out.app import app, audit, decisions


@app.agent(decisions)
async def keep(stream: Any) -> None:
    """Every decision is audited."""
    async for amount in stream:
        await audit.send(value=ledger_of_the_bank.line(amount))
