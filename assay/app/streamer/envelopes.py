"""Frames rows of a sealed world as envelopes: JSON text built by column, the run's constants written once per batch."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from assay.contracts.pins import Pins

PRODUCER = "world_streamer"
#: an id that needs no escapes
HEX_ID = pl.col("event_id")
_INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"


class Framer:
    """Envelopes of one run, by one producer. Only live columns go into a payment: truth is not among them."""

    def __init__(self, pins: Pins, run_id: str, producer: str = PRODUCER) -> None:
        self._scope = json.dumps({**pins.as_json(), "run_id": run_id, "producer": producer}, separators=(",", ":"))[1:-1]

    def payments(self, frame: pl.DataFrame, event_id: pl.Expr = HEX_ID) -> pl.Series:
        """One envelope per row of a stream view: kind, amount, currency, entities and attributes that are not null.

        Rows without a column `source_order` have none: the gate then counts as they arrive. `event_id` is text between quotation marks
        of JSON, see `between_quotes`.
        """
        payload = pl.concat_str(
            pl.lit('{"kind":'),
            quoted(pl.col("kind")),
            pl.lit(',"amount_minor":'),
            pl.col("amount_minor").cast(pl.String),
            pl.lit(',"currency":"'),
            "currency",
            pl.lit('","entities":{'),
            _members(frame, "entity."),
            pl.lit('},"attributes":{'),
            _members(frame, "attribute."),
            pl.lit("}}}"),
        )
        ordered = "source_order" in frame.columns
        return frame.select(self.envelope("transaction", event_id, "ts_us", payload, ordered=ordered).alias("envelope"))["envelope"]

    def envelope(self, event_type: str, event_id: pl.Expr, time: str, payload: pl.Expr, *, ordered: bool = True) -> pl.Expr:
        """The text of an envelope. `time` is the column of its time, microseconds; `payload` ends with the brace of the envelope."""
        order = (pl.lit('","source_order":'), pl.col("source_order").cast(pl.String)) if ordered else (pl.lit('"'),)
        return pl.concat_str(
            pl.lit('{"event_id":"'),
            event_id,
            pl.lit(f'","event_type":"{event_type}","schema_version":"v1","ts_utc":"'),
            instant(time),
            *order,
            pl.lit(f',{self._scope},"payload":'),
            payload,
        )


def body_of(envelopes: pl.Series) -> bytes:
    """A JSON array of envelopes."""
    return f"[{envelopes.str.join(',').item()}]".encode()


def rows_within(envelopes: pl.Series, bytes_max: int) -> int:
    """How many of the first envelopes make a body of at most so many bytes."""
    lengths = envelopes.str.len_bytes().to_numpy().astype(np.int64)
    bodies = np.cumsum(lengths + 1) + 1  # brackets around, commas between
    return int(np.searchsorted(bodies, bytes_max, side="right"))


def instant(column: str) -> pl.Expr:
    """Text of a column of microseconds, or of times, RFC 3339 with six fraction digits."""
    return pl.col(column).cast(pl.Int64).cast(pl.Datetime("us")).dt.strftime(_INSTANT)


def quoted(value: pl.Expr) -> pl.Expr:
    """A text as JSON."""
    return pl.struct(value.alias("v")).struct.json_encode().str.strip_prefix('{"v":').str.strip_suffix("}")


def between_quotes(value: pl.Expr) -> pl.Expr:
    """A text as it stands between the quotation marks of JSON."""
    return quoted(value).str.strip_prefix('"').str.strip_suffix('"')


def _members(frame: pl.DataFrame, prefix: str) -> pl.Expr:
    """`"name":"value"` of the columns with this prefix, joined by commas; nulls are left out."""
    names = [name for name in frame.columns if name.startswith(prefix)]
    if not names:
        return pl.lit("")
    members = [pl.when(pl.col(name).is_not_null()).then(_member(name, name.removeprefix(prefix))) for name in names]
    return pl.concat_str(members, separator=",", ignore_nulls=True)


def _member(column: str, name: str) -> pl.Expr:
    encoded = pl.struct(pl.col(column).alias(name)).struct.json_encode()
    return encoded.str.strip_prefix("{").str.strip_suffix("}")
