"""Columns that travel with a payment, and the refusal of a payment that would be too large for the gate."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.text_columns import text
from assay.contracts.limits import ATTRIBUTE_CHARS_MAX, ENTITIES_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX, PAYLOAD_BYTES_MAX
from assay.contracts.reasons import Reason

#: bytes of a character, and of a pair of names in JSON beside its texts: quotation marks, colon, comma
_CHARACTER, _PAIR = 4, 6
#: what entities, kind, amount and the names of all of them can take at most
_OTHERS = ENTITIES_MAX * ((LABEL_CHARS_MAX + ID_CHARS_MAX) * _CHARACTER + _PAIR) + LABEL_CHARS_MAX * _CHARACTER + 200
#: bytes of attributes that the gate takes beside anything else
ATTRIBUTES_BYTES_MAX = PAYLOAD_BYTES_MAX - _OTHERS


def attributes(frame: pl.DataFrame, names: Sequence[str]) -> dict[str, pl.Series]:
    """attribute.<name> → text. Raises as `text`; INPUT_VALUE_INVALID for a row whose attributes are too long together."""
    found = {f"attribute.{name}": text(frame, name, ATTRIBUTE_CHARS_MAX, required=False) for name in names}
    written = [series.str.len_bytes() + series.str.count_matches(r'["\\]') for series in found.values()]
    given = [size + (len(json.dumps(name, ensure_ascii=False).encode()) + _PAIR) for size, name in zip(written, names, strict=True)]
    longest = pl.DataFrame([size.alias(str(place)) for place, size in enumerate(given)]).max().fill_null(0)
    if given and longest.sum_horizontal()[0] > ATTRIBUTES_BYTES_MAX:
        total = pl.DataFrame([size.alias(str(place)) for place, size in enumerate(given)]).sum_horizontal()
        remedy = "Take attributes out of the mapping that no analysis needs, or shorten them before the import."
        what = f"attributes of more than {ATTRIBUTES_BYTES_MAX:,} bytes together"
        sized = frame.with_columns(total.alias("attributes"))
        refuse_row(sized, total > ATTRIBUTES_BYTES_MAX, Reason.INPUT_VALUE_INVALID, "attributes", what, remedy)
    return found
