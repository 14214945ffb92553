"""The labels of a generated bank: what it knew of its flows, told when it knew it. The truth beside it is nobody's to tell."""

from __future__ import annotations

import io
from typing import Final

import polars as pl

from assay.app.labels.known_labels import COLUMNS, KnownLabels, in_order_known
from assay.app.pack.sealed_pack import SealedPack
from assay.app.streamer.facts import RunFacts
from assay.contracts.engine_events import ENGINE_EVENTS, EngineEvent
from assay.contracts.errors import Stop
from assay.contracts.ids import world_event_id
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import BASELINE, mode_of

BANK_VIEW: Final = "s4_flow_bank_view_6B"
#: who says so
SOURCE: Final = "bank_view"
#: the event of a flow that a label speaks of: the request that was decided
_REQUEST: Final = 0


def labels_of_bank(pack: SealedPack, facts: RunFacts) -> KnownLabels:
    """The labels of the bank that READY names. The traffic without fraud has none: the bank doubts none of its flows.

    Raises Stop(RUN_SCOPE_MISMATCH) for the pack of another world, and as the pack does.
    """
    if pack.identity.pack_id != facts.pack_id:
        what = f"the folder holds the pack {pack.identity.pack_id}, READY was said for {facts.pack_id}"
        raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=facts.pack_root, remedy="Put the bank back, or start another run.")
    mode = mode_of(facts.sources)
    found = pl.DataFrame(schema=COLUMNS)
    if mode is not None and mode is not BASELINE:
        found = in_order_known(_told(pack, ENGINE_EVENTS[mode.events], facts))
    last_us = int(found["observed_ts_us"][-1]) if len(found) else 0
    return KnownLabels(found, SOURCE, facts.pack_root, facts.min_ts_us, max(facts.max_ts_us, last_us) + 1)


def _told(pack: SealedPack, event: EngineEvent, facts: RunFacts) -> pl.DataFrame:
    """Labels in the order of their events."""
    known = _rows(pack, BANK_VIEW, ("flow_id", "is_fraud_bank_view", "known_ts_utc")).filter(pl.col("known_ts_utc").is_not_null())
    requests = _rows(pack, event.output_id, ("flow_id", "event_seq", event.time_column)).filter(pl.col("event_seq") == _REQUEST)
    rows = requests.join(known, on="flow_id").sort(event.time_column, "flow_id")
    return rows.select(
        pl.Series("event_id", [_event_id(event, flow_id, facts) for flow_id in rows["flow_id"]], pl.String),
        pl.col(event.time_column).dt.epoch("us").alias("ts_us"),
        pl.col("is_fraud_bank_view").cast(pl.Int8).alias("label"),
        pl.col("known_ts_utc").dt.epoch("us").alias("observed_ts_us"),
    )


def _event_id(event: EngineEvent, flow_id: int, facts: RunFacts) -> str:
    values = {**facts.pins.as_json(), "flow_id": flow_id, "event_seq": _REQUEST}
    return world_event_id(event.output_id, [values[name] for name in event.primary_key], facts.pins)


def _rows(pack: SealedPack, output_id: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """Columns of an output, behind its gates."""
    parts = pack.parts(pack.output(output_id))
    return pl.concat([pl.read_parquet(io.BytesIO(pack.read(part)), columns=list(columns)) for part in parts])
