"""Bodies of calls: envelopes of one batch, as many as a call can hold."""

from __future__ import annotations

import json

import polars as pl

from assay.app.streamer.envelopes import body_of, rows_within
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def body_within(envelopes: pl.Series, bytes_max: int, where: str) -> tuple[int, bytes]:
    """How many of the first envelopes a call holds, and its body, at most `bytes_max` bytes. `where` is told if one is too wide.

    Raises Stop(BODY_OVER_LIMIT) for a first envelope that is too wide by itself.
    """
    body = body_of(envelopes)
    if len(body) <= bytes_max:
        return len(envelopes), body
    fitting = rows_within(envelopes, bytes_max)
    if not fitting:
        row = json.loads(envelopes[0])
        what = f"the {row['event_type']} {row['event_id']} of {row['ts_utc']} makes a call of more than {bytes_max} bytes by itself"
        raise Stop(Reason.BODY_OVER_LIMIT, what, where=where, remedy="Shorten its values in the file, and import it again.")
    return fitting, body_of(envelopes[:fitting])
