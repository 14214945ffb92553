"""Frames rows of an engine's output as envelopes: the whole row is the payload, its id follows from the primary key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Final

import polars as pl

from assay.app.streamer.envelopes import PRODUCER, instant, quoted
from assay.contracts.engine_events import ColumnKind, EngineEvent, EventColumn
from assay.contracts.pins import Pins

_LOCAL: Final = "%Y-%m-%dT%H:%M:%S%.6f"


class EngineFramer:
    """Envelopes of one output in one run. `trace_id` is the pack's id, `span_id` the release of the engine that made it."""

    def __init__(self, event: EngineEvent, pins: Pins, run_id: str, pack_id: str, release: str) -> None:
        self.time_column = event.time_column
        self._event = event
        told = {"run_id": run_id, "producer": PRODUCER, "trace_id": pack_id, **({"span_id": release} if release else {})}
        self._scope = json.dumps({**pins.as_json(), **told}, separators=(",", ":"))[1:-1]
        self._world = f"|{pins.manifest_fingerprint}|{pins.parameter_hash}|{pins.seed}|{pins.scenario_id}"

    def ids(self, frame: pl.DataFrame) -> list[str]:
        """The event id of each row: `contracts.ids.world_event_id`, all rows at once."""
        event, sha256 = self._event, hashlib.sha256
        key = [pl.col(name).cast(pl.String) for name in event.primary_key]
        parts = pl.concat_str(pl.lit(event.output_id), *key, separator="|") + pl.lit(self._world)
        return [sha256(text.encode()).hexdigest() for text in frame.select(parts.alias("text"))["text"]]

    def envelopes(self, frame: pl.DataFrame, ids: list[str], orders: pl.Series) -> pl.Series:
        """JSON of the rows. `ids`: as `ids` gives them; `orders`: the place of each row in its view, counted from 1."""
        event = self._event
        members = [_member(column) for column in event.columns]
        text = pl.concat_str(
            pl.lit('{"event_id":"'),
            pl.lit(pl.Series("event_id", ids, pl.String)),
            pl.lit(f'","event_type":"{event.output_id}","schema_version":"v1","ts_utc":"'),
            instant(event.time_column),
            pl.lit('","source_order":'),
            pl.lit(orders.cast(pl.String)),
            pl.lit(f',{self._scope},"payload":{{'),
            *_joined(members),
            pl.lit("}}"),
        )
        return frame.select(text.alias("envelope"))["envelope"]


def _member(column: EventColumn) -> pl.Expr:
    value = _VALUES[column.kind](column.name)
    if column.nullable:
        value = pl.when(pl.col(column.name).is_null()).then(pl.lit("null")).otherwise(value)
    return pl.concat_str(pl.lit(f'"{column.name}":'), value)


def _joined(members: list[pl.Expr]) -> list[pl.Expr]:
    found = members[:1]
    for member in members[1:]:
        found += [pl.lit(","), member]
    return found


def _amount(name: str) -> pl.Expr:
    minor = (pl.col(name) * 100).round().cast(pl.Int64)
    cents = (minor % 100).cast(pl.String).str.zfill(2)
    return pl.concat_str(pl.lit('"'), (minor // 100).cast(pl.String), pl.lit("."), cents, pl.lit('"'))


def _number(name: str) -> pl.Expr:
    """As Python writes it, which is another text than that of polars for very small and large numbers."""
    return pl.concat_str(pl.lit('"'), pl.col(name).map_elements(repr, pl.String), pl.lit('"'))


def _text_of(expression: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit('"'), expression, pl.lit('"'))


_VALUES: Final[dict[ColumnKind, Callable[[str], pl.Expr]]] = {
    "whole": lambda name: pl.col(name).cast(pl.String),
    "text": lambda name: quoted(pl.col(name).cast(pl.String)),
    "bool": lambda name: pl.col(name).cast(pl.String),
    "time": lambda name: _text_of(instant(name)),
    "local_time": lambda name: _text_of(pl.col(name).dt.strftime(_LOCAL)),
    "amount": _amount,
    "number": _number,
}
