"""Frames rows of an imported world as payments."""

from __future__ import annotations

import polars as pl

from assay.app.streamer.envelopes import Framer


class PaymentFramer:
    """Envelopes of payments in one run: ids and order are those of the import."""

    time_column = "ts_us"

    def __init__(self, framer: Framer) -> None:
        self._framer = framer

    def ids(self, frame: pl.DataFrame) -> list[str]:
        """The event id of each row."""
        return frame["event_id"].to_list()

    def envelopes(self, frame: pl.DataFrame, ids: list[str], orders: pl.Series) -> pl.Series:
        """JSON of the rows."""
        return self._framer.payments(frame)
