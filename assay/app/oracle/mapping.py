"""A mapping says which columns of somebody's file are a payment's id, time, amount, entities and truth."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assay.contracts import instants
from assay.contracts.canonical import hex64
from assay.contracts.errors import Stop
from assay.contracts.limits import ATTRIBUTES_MAX, ENTITIES_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX, SEED_MAX
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import plain_name
from assay.contracts.yaml_documents import read_document

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=LABEL_CHARS_MAX)]
Column = Annotated[str, Field(min_length=1)]
#: an attribute travels under its column's name
AttributeColumn = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
#: names that a world's truth has for itself
_TRUTH_ITSELF = {"label", "observed_ts_us"}


class Closed(BaseModel):
    """A part of a mapping; a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TimeColumn(Closed):
    """An instant. Naive times need `zone` (an IANA name), integers since 1970 need `unit`."""

    column: Column
    zone: str | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None

    @model_validator(mode="after")
    def _zone_exists(self) -> TimeColumn:
        if self.zone is not None:
            try:
                pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(self.zone)
            except pl.exceptions.ComputeError:
                raise ValueError(f"'{self.zone}' is not an IANA time zone") from None
        return self


class AmountColumn(Closed):
    """An amount in units of 10**-minor_unit_exponent: 2 where the column holds euros and the minor unit is the cent."""

    column: Column
    minor_unit_exponent: Annotated[int, Field(ge=0, le=6)]


class Value(Closed):
    """One column, or the same value for every row."""

    column: Column | None = None
    constant: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Value:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either 'column' or 'constant'")
        return self


class Truth(Closed):
    """Where truth stands and when somebody knows it: at `time` (a column of its own), or a delay after the payment.

    `column` equal to one of `positive` means FRAUD, null means that nobody knows, anything else LEGIT. `emit` says which
    labels become label assertions. `also` names further truth columns: they are kept beside the labels and refused
    wherever a live row would carry them.
    """

    column: Column
    positive: Annotated[tuple[str | int | bool, ...], Field(min_length=1, strict=False)]
    time: TimeColumn | None = None
    delay: str | None = None
    emit: Literal["positive", "all"] = "positive"
    source: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)] = "world_truth"
    also: Annotated[tuple[Column, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _known_later(self) -> Truth:
        if (self.time is None) == (self.delay is None):
            raise ValueError("give either 'time' (a column) or 'delay' (for example 7d)")
        if len({*self.also, *_TRUTH_ITSELF}) != len(self.also) + len(_TRUTH_ITSELF):
            raise ValueError(f"'also' names a column twice, or one called {' or '.join(sorted(_TRUTH_ITSELF))}: rename it in the file")
        if self.delay is not None and instants.duration_us(self.delay) <= 0:
            raise ValueError("'delay' must be more than nothing: truth is known after the payment")
        return self

    @property
    def delay_us(self) -> int | None:
        """The delay in µs; None where labels have a time of their own."""
        return None if self.delay is None else instants.duration_us(self.delay)

    def columns(self) -> set[str]:
        """Every column that tells the truth."""
        return {self.column, *self.also} | ({self.time.column} if self.time else set())


class Mapping(Closed):
    """How to read one shape of file as a world of payments. `order` is a column of numbers; without it the file's order counts."""

    mapping: Name
    revision: str
    output_id: Name
    id: Column
    time: TimeColumn
    order: Column | None = None
    amount: AmountColumn
    currency: Value
    entities: Annotated[dict[Name, Column], Field(min_length=1, max_length=ENTITIES_MAX)]
    kind: Value
    attributes: Annotated[tuple[AttributeColumn, ...], Field(strict=False, max_length=ATTRIBUTES_MAX)] = ()
    truth: Truth | None = None
    scenario_id: Annotated[str, Field(min_length=1, max_length=ID_CHARS_MAX)] = "imported"
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 0

    def live_columns(self) -> dict[str, str]:
        """Column → the place in a live row it is mapped to."""
        live = {self.id: "id", self.time.column: "time", self.amount.column: "amount"}
        live |= {self.order: "order"} if self.order else {}
        live |= {value.column: name for name, value in (("currency", self.currency), ("kind", self.kind)) if value.column}
        live |= {column: f"entities.{name}" for name, column in self.entities.items()}
        return live | dict.fromkeys(self.attributes, "attributes")

    def document(self) -> dict[str, Any]:
        """The mapping with every default written out."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """sha256 hex of the canonical JSON of the document; it is the world's `parameter_hash`."""
        return hex64(self.document())


def parse_mapping(text: str | bytes, where: str) -> Mapping:
    """Read a mapping. Raises Stop(MAPPING_INVALID) naming the field, Stop(TRUTH_COLUMN_IN_LIVE_ROW) naming the column."""
    try:
        mapping = Mapping.model_validate(read_document(text, Reason.MAPPING_INVALID, where))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the document"
        raise Stop(Reason.MAPPING_INVALID, f"{field}: {first['msg']}", where=where, remedy="Correct this field of the mapping.") from None
    _refuse_truth_in_live_rows(mapping, where)
    return mapping


def load_mapping(name_or_path: str) -> Mapping:
    """A mapping from a file, or a shipped one by its name (`handbook`, `transfers`). Raises as `parse_mapping`."""
    path = Path(name_or_path)
    if path.is_file():
        return parse_mapping(path.read_bytes(), str(path))
    shipped = resources.files("assay.app.oracle") / "mappings" / f"{name_or_path}.yaml"
    if "/" not in name_or_path and shipped.is_file():
        return parse_mapping(shipped.read_bytes(), f"mapping {name_or_path}")
    raise Stop(
        Reason.INPUT_FILE_MISSING,
        f"there is no mapping '{name_or_path}'",
        remedy=f"Give a YAML file or one of the shipped mappings: {', '.join(shipped_mappings())}.",
    )


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with the package."""
    folder = resources.files("assay.app.oracle") / "mappings"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _refuse_truth_in_live_rows(mapping: Mapping, where: str) -> None:
    live = {plain_name(column): place for column, place in mapping.live_columns().items()}
    live |= {plain_name(name): f"entities.{name}" for name in mapping.entities}
    for column in sorted(mapping.truth.columns() if mapping.truth else ()):
        place = live.get(plain_name(column))
        if place is not None:
            raise Stop(
                Reason.TRUTH_COLUMN_IN_LIVE_ROW,
                f"the truth column '{column}' is also mapped to {place}",
                where=where,
                remedy="Truth may reach a run only as a label, later; take the column out of the live part.",
            )
