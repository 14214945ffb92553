"""A report of a run that replaces ids tells the tokens of decisions, though the world beside it has the ids in clear."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from small_worlds import small_world

from assay.app.report.payments import judged


def test_ids_that_a_run_replaced_are_those_of_its_decisions(tmp_path: Path) -> None:
    world = small_world(tmp_path, entities={"customer": "who", "terminal": "shop"})
    payments = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    assert payments["entity.customer"].drop_nulls().len() > 0
    names = [["customer", "terminal"]] * len(payments)
    decisions = pl.DataFrame({
        "event_id": payments["event_id"], "amount_minor": payments["amount_minor"], "currency": payments["currency"], "entity_names": names,
        "entity_ids": [[f"tok-{number}", "t"] for number in range(len(payments))],
    })  # fmt: skip
    in_clear, _ = judged(decisions, world, None)
    told, _ = judged(decisions, world, None, ("card", "customer"))
    assert in_clear["entity.customer"].to_list() == payments["entity.customer"].to_list()
    assert told["entity.customer"].to_list() == [f"tok-{number}" for number in range(len(payments))]
    assert told["entity.terminal"].to_list() == payments["entity.terminal"].to_list()
    assert set(told.columns) == set(in_clear.columns)
