"""Turns mapped columns into a live row's columns, or refuses them naming column, row and value."""

from __future__ import annotations

import polars as pl

from assay.app.oracle.amount_columns import amount, currency
from assay.app.oracle.attribute_columns import attributes
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.refusing import refuse_row
from assay.app.oracle.row_faults import sound_rows
from assay.app.oracle.text_columns import constant_or_column, identifier, joined, primary_key
from assay.app.oracle.time_columns import instant
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def live_frame(frame: pl.DataFrame, mapping: Mapping, now_us: int, *, whole: bool = True) -> pl.DataFrame:
    """Columns source_id, ts_us, kind, amount_minor, currency, entity.<name>, attribute.<name>, in the file's order.

    `now_us`: a payment after it is refused. `whole`: these are all rows there are, so an id stands once among them.
    Raises Quarantine with the codes of `text_columns`, `time_columns`, `amount_columns`.
    """
    declared = mapping.form.nulls is not None
    currencies = currency(frame, mapping.currency, mapping.exponents)
    columns = {
        "source_id": primary_key(frame, mapping.id, nulls_declared=declared),
        "ts_us": instant(frame, mapping.time, required=True),
        "kind": constant_or_column(frame, mapping.kind, nulls_declared=declared),
        "amount_minor": amount(frame, mapping.amount, currencies, mapping.exponents, mapping.form),
        "currency": currencies,
        **{
            f"entity.{name}": identifier(frame, column, required=False, nulls_declared=declared)
            for name, column in mapping.entities.items()
        },
        **attributes(frame, mapping.attribute_names),
    }
    future = columns["ts_us"] > now_us
    remedy = "Correct the file, the time zone or the unit declared in the mapping."
    timed = joined(frame, mapping.time.names, mapping.time.name)
    refuse_row(timed, future, Reason.TIME_IN_FUTURE, mapping.time.name, "a payment in the future", remedy)
    if whole:
        _refuse_shared(frame, columns["source_id"], columns["source_id"].is_duplicated(), mapping)
    return pl.DataFrame([series.alias(name) for name, series in columns.items()])


def refuse_twins(frame: pl.DataFrame, ids: pl.Series, at_fault: pl.DataFrame, mapping: Mapping) -> None:
    """Raise RowsRefused (INPUT_ID_DUPLICATE) for rows whose id a row at fault has, too: nobody knows which of them is right."""
    if not mapping.id_columns:
        return
    try:
        others, _ = sound_rows(at_fault, lambda rows: primary_key(rows, mapping.id, nulls_declared=mapping.form.nulls is not None))
    except Quarantine:  # no row at fault has an id
        return
    _refuse_shared(frame, ids, ids.is_in(others.implode()), mapping)


def _refuse_shared(frame: pl.DataFrame, ids: pl.Series, shared: pl.Series, mapping: Mapping) -> None:
    name = ", ".join(mapping.id_columns) or "id"
    keyed = frame.with_columns(ids.alias(name))
    remedy = (
        "Ids must be unique in the file; an id may be of several columns (id: {columns: [a, b]}) or the row's number (id: {row: true})."
    )
    refuse_row(keyed, shared, Reason.INPUT_ID_DUPLICATE, name, "an id that other rows have too", remedy)
