"""A file of disputes and chargebacks as labels: its mapping, and its rows checked before one of them is posted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import BaseModel, Field, ValidationError, model_validator

from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.mapping_faults import fault_of
from assay.app.oracle.mapping_parts import Closed, Column, RowFilter, ShortText, Values
from assay.app.oracle.mapping_time import TimeColumn
from assay.app.oracle.reading import read_input
from assay.app.oracle.refusing import ROW, refuse_row
from assay.app.oracle.row_filters import taken_rows
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.oracle.spellings import meanings, one_spelling, told
from assay.app.oracle.text_columns import named
from assay.app.oracle.time_columns import instant
from assay.contracts.errors import Stop
from assay.contracts.limits import ID_CHARS_MAX
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

EVENT_ID, SOURCE_ID = "event_id", "source_id"


class Told(Closed):
    """The column that says what a payment was: values that mean FRAUD, and those that mean LEGIT. Null: nobody knows yet."""

    column: Column
    fraud: Values
    legit: Values | None = None

    @model_validator(mode="after")
    def _apart(self) -> Told:
        both = sorted(set(meanings(self.fraud)) & set(meanings(self.legit or ())))
        if both:
            raise ValueError(f"'{both[0]}' stands in 'fraud' and in 'legit'; a value means one of them")
        return self


class LabelMapping(Closed):
    """How to read one shape of file as labels.

    The payment is named by `event_id`, a column with the id under which the gate admitted it, or by `source_id`, a column with the
    bank's own id, as it stands in the file that was imported as the run's world. `label` is a column, or one value for every row.
    """

    event_id: Column | None = None
    source_id: Column | None = None
    time: TimeColumn
    label: Told | Literal["FRAUD", "LEGIT"]
    source: ShortText = "label_file"
    csv: CsvForm | None = None
    filter: Annotated[tuple[RowFilter, ...], Field(min_length=1, strict=False)] | None = None

    @model_validator(mode="after")
    def _one_id(self) -> LabelMapping:
        if (self.event_id is None) == (self.source_id is None):
            raise ValueError("give either 'event_id' or 'source_id'")
        return self

    @property
    def payment(self) -> str:
        """The column that names the payment."""
        return self.event_id or self.source_id or ""

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        told_in = [] if isinstance(self.label, str) else [self.label.column]
        return [self.payment, *self.time.names, *told_in, *(one.column for one in self.filter or ())]


_PARTS: Final[dict[str, type[BaseModel]]] = {"time": TimeColumn, "label": Told, "csv": CsvForm, "filter": RowFilter}


def load_label_mapping(path: Path) -> LabelMapping:
    """Read a mapping. Raises Stop(INPUT_FILE_MISSING), Stop(MAPPING_INVALID) naming the field."""
    if not path.is_file():
        raise Stop(Reason.INPUT_FILE_MISSING, "there is no such mapping", where=str(path), remedy="Give a YAML file.")
    try:
        return LabelMapping.model_validate(read_document(path.read_bytes(), Reason.MAPPING_INVALID, str(path)))
    except ValidationError as error:
        fault = fault_of(error, _PARTS, LabelMapping)
        remedy = f"{fault.remedy} docs/http.md shows a whole one."
        raise Stop(Reason.MAPPING_INVALID, fault.what, where=str(path), remedy=remedy) from None


def label_rows(path: Path, mapping: LabelMapping, world: SealedWorld | None, now_us: int) -> pl.DataFrame:
    """Columns row, payment, label, known_us of every row that says something, in the file's order.

    Raises Quarantine: INPUT_VALUE_MISSING, INPUT_VALUE_INVALID, TIME_IN_FUTURE, LABEL_SUBJECT_UNKNOWN for a bank's id that the world
    does not have, and as `read_input`; Stop(PACK_NOT_FOUND) for a `source_id` in a run without a world.
    """
    return told_labels(read_input(path, mapping.columns, mapping.csv or CsvForm()), mapping, world, now_us)


def told_labels(read: pl.DataFrame, mapping: LabelMapping, world: SealedWorld | None, now_us: int, *, whole: bool = True) -> pl.DataFrame:
    """The same of rows that were read, numbered by ROW. `whole`: these are all rows there are, see `taken_rows`."""
    frame = taken_rows(read, mapping.filter or (), whole=whole)
    label = _label(frame, mapping.label)
    frame, label = frame.filter(label.is_not_null()), label.drop_nulls()
    declared = mapping.csv is not None and mapping.csv.nulls is not None
    payment = named(frame, mapping.payment, ID_CHARS_MAX, required=True, nulls_declared=declared)
    known_us = instant(frame, mapping.time, required=True)
    remedy = "Nobody can know it yet; check the time column and its zone."
    refuse_row(frame, (known_us > now_us).fill_null(False), Reason.TIME_IN_FUTURE, mapping.time.name, "a label from the future", remedy)
    if mapping.source_id is not None:
        payment = _event_ids(frame, payment, mapping.source_id, world)
    return pl.DataFrame({"row": frame[ROW].cast(pl.Int64), "payment": payment, "label": label, "known_us": known_us})


def _label(frame: pl.DataFrame, label: Told | str) -> pl.Series:
    """FRAUD, LEGIT, or null where nobody knows."""
    if isinstance(label, str):
        return pl.Series([label], dtype=pl.String).new_from_index(0, len(frame))
    values = one_spelling(told(frame, label.column))
    fraud, legit = values.is_in(meanings(label.fraud)), values.is_in(meanings(label.legit or ()))
    foreign = (~(fraud | legit)).fill_null(False)
    remedy = "Add the value to label.fraud or label.legit; rows that say nothing are left out by 'filter' or 'csv.nulls'."
    refuse_row(frame, foreign, Reason.INPUT_VALUE_INVALID, label.column, "a value of neither list", remedy)
    return pl.select(pl.when(fraud).then(pl.lit("FRAUD")).when(legit).then(pl.lit("LEGIT"))).to_series()


def _event_ids(frame: pl.DataFrame, ids: pl.Series, column: str, world: SealedWorld | None) -> pl.Series:
    """The event id of each payment that the bank calls so."""
    if world is None:
        remedy = "Name the payments by event_id; a bank's own ids are known of payments that were imported as a world."
        raise Stop(Reason.PACK_NOT_FOUND, "this run has no world, so it knows no source_id", remedy=remedy)
    wanted = pl.DataFrame({SOURCE_ID: ids}).with_row_index("at")
    parts = [world.stream_part(part).select(SOURCE_ID, EVENT_ID) for part in world.manifest.stream_view]
    known = pl.concat([part.join(wanted.select(SOURCE_ID).unique(), on=SOURCE_ID, how="semi") for part in parts])
    found = wanted.join(known, on=SOURCE_ID, how="left", maintain_order="left")[EVENT_ID]
    remedy = "Check that the column holds the id that the imported file has, or leave these rows out by 'filter'."
    refuse_row(frame, found.is_null(), Reason.LABEL_SUBJECT_UNKNOWN, column, "an id of no payment of this run's world", remedy)
    return found
