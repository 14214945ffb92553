"""Planted rows of what S4 reads: flows of known campaigns, their events, merchants and the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from small_graph import IDENTITY, TEXT_GATE

from assay.engine.parameters import Parameters, shipped
from assay.engine.segment import Scene, Segment
from assay.engine.truth import state
from assay.engine.truth.words import SUBTYPES

PARAMETERS: Parameters = shipped("tiny")
CLASSES: tuple[str, ...] = tuple(PARAMETERS.documents["bank_view"]["classes"])
SEGMENT = Segment("6B", 3, (), (), (), TEXT_GATE)
START_US = 1_767_225_600_000_000
#: subtype → id of its campaign; NONE has none
CAMPAIGNS = {subtype: f"{number:064x}" for number, subtype in enumerate(SUBTYPES)}


def flows_of(rows: int, subtypes: Sequence[str], *, seed: int = 1, amount: float = 50.0) -> pl.DataFrame:
    """So many flows whose campaigns take turns; ids and times by a seed."""
    draws = np.random.Generator(np.random.PCG64(seed))
    campaigns = [None if name == "NONE" else CAMPAIGNS[name] for name in subtypes]
    return pl.DataFrame(
        {
            "flow_id": draws.permutation(rows) + 10**12,
            "instrument_id": draws.integers(1, rows // 30 + 2, rows),
            "account_id": draws.integers(1, rows // 40 + 2, rows),
            "party_id": draws.integers(1, rows // 50 + 2, rows),
            "merchant_id": pl.Series(draws.integers(1, 81, rows)).cast(pl.UInt64),
            "ts_utc": pl.Series(START_US + np.sort(draws.integers(0, 90 * 86_400_000_000, rows))).cast(pl.Datetime("us", "UTC")),
            "amount": np.full(rows, amount),
            "campaign_id": pl.Series([campaigns[i % len(campaigns)] for i in range(rows)], dtype=pl.String),
        }
    )


def scene_of(flows: pl.DataFrame, openings: pl.DataFrame | None = None, parameters: Parameters = PARAMETERS) -> Scene:
    """A scene in which the flows are the only part."""
    seqs = pl.DataFrame({"event_seq": [0, 1]})
    merchants = pl.Series(range(1, 81)).cast(pl.UInt64)
    tables = {
        state.FLOWS: flows,
        state.EVENTS: flows.select("flow_id").join(seqs, how="cross"),
        state.CAMPAIGNS: pl.DataFrame({"campaign_id": list(CAMPAIGNS.values())[1:], "subtype": list(CAMPAIGNS)[1:]}),
        "merchant_zone_profile_5A": pl.DataFrame({"merchant_id": merchants, "demand_class": [CLASSES[i % 8] for i in range(80)]}),
        state.OPENINGS.output_id: openings if openings is not None else pl.DataFrame(),
    }

    def read(output_id: str, part: int | None, columns: Sequence[str] | None) -> pl.DataFrame:
        return tables[output_id] if columns is None else tables[output_id].select(columns)

    return Scene(IDENTITY, parameters, SEGMENT, "S4", tuple(tables), read)
