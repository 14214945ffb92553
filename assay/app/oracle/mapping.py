"""A mapping says which columns of somebody's file are a payment's id, time, amount, entities and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError, model_validator

from assay.app.oracle.mapping_amount import AmountColumn
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.mapping_faults import fault_of
from assay.app.oracle.mapping_parts import Closed, Column, ColumnPattern, IdColumns, RowFilter, ShortText, Value, plain_text
from assay.app.oracle.mapping_time import TimeColumn
from assay.app.oracle.mapping_truth import Truth
from assay.contracts.canonical import hex64
from assay.contracts.currencies import EXPONENT_MAX, exponent_of
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.limits import ATTRIBUTES_MAX, ENTITIES_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX, SEED_MAX
from assay.contracts.reasons import Reason
from assay.contracts.truth_names import gate_truth_names, plain_name
from assay.contracts.yaml_documents import read_document

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=LABEL_CHARS_MAX)]
Exponent = Annotated[int, Field(ge=0, le=EXPONENT_MAX)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=ENTITIES_MAX, strict=False)]
#: what stands for a value that somebody still has to say
TODO: Final = "TODO"


class Mapping(Closed):
    """How to read one shape of file as a world of payments.

    `order` is a column of whole numbers that orders payments of one time; without it, the file's order counts.
    `currencies`: codes that the file may hold, or code → exponent, also for a currency that ISO 4217 does not have (crypto, points)
    or has with another exponent. Without it, a file holds one currency of ISO 4217.
    `ids_in_clear`: entities whose ids the gate takes even where they read as payment card numbers.
    `pseudonymise`: entities whose ids the gate replaces by tokens of its vault.
    """

    later = frozenset({"order", "currencies", "csv", "filter", "ids_in_clear", "pseudonymise"})
    mapping: Name
    revision: str
    output_id: Name
    id: Column | IdColumns
    time: TimeColumn
    order: Column | None = None
    amount: AmountColumn
    currency: Value
    entities: Annotated[dict[Name, Column], Field(default_factory=dict, max_length=ENTITIES_MAX)]
    kind: Value
    attributes: Annotated[tuple[ShortText | ColumnPattern, ...], Field(strict=False, max_length=ATTRIBUTES_MAX)] = ()
    truth: Truth | None = None
    scenario_id: Annotated[str, Field(min_length=1, max_length=ID_CHARS_MAX), AfterValidator(plain_text)] = "imported"
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 0
    currencies: Annotated[tuple[Code, ...], Field(min_length=1, strict=False)] | dict[Code, Exponent] | None = None
    csv: CsvForm | None = None
    filter: Annotated[tuple[RowFilter, ...], Field(min_length=1, strict=False)] | None = None
    ids_in_clear: Names | None = None
    pseudonymise: Names | None = None

    @model_validator(mode="after")
    def _currencies_have_exponents(self) -> Mapping:
        if isinstance(self.currencies, tuple):
            for code in self.currencies:
                if exponent_of(code) is None:
                    raise ValueError(f"currencies: ISO 4217 has no payments in '{code}'; declare its exponent, as in {{{code}: 2}}")
        return self

    @model_validator(mode="after")
    def _entities_have_columns_of_their_own(self) -> Mapping:
        by_column: dict[str, str] = {}
        for name, column in self.entities.items():
            other = by_column.setdefault(column, name)
            if other != name:
                raise ValueError(f"entities.{name}: the column '{column}' is entities.{other}, too; name one of them")
        return self

    @model_validator(mode="after")
    def _names_are_of_entities(self) -> Mapping:
        for field, names in (("ids_in_clear", self.ids_in_clear), ("pseudonymise", self.pseudonymise)):
            for name in names or ():
                if name not in self.entities:
                    raise ValueError(f"{field}: there is no entity '{name}'; the entities are {', '.join(self.entities)}")
        return self

    @model_validator(mode="after")
    def _pseudonymised_ids_stand_nowhere_else(self) -> Mapping:
        for name in self.pseudonymise or ():
            column = self.entities[name]
            for place, columns in (("id", self.id_columns), ("attributes", self.attribute_names)):
                if column in columns:
                    raise ValueError(f"pseudonymise: '{column}' is the column of '{name}' and of {place}, where no token replaces it")
        return self

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of the id; none where it is the number of the row."""
        return (self.id,) if isinstance(self.id, str) else self.id.columns or ()

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The columns that travel with a payment; without those of patterns, until `over` has named them."""
        return tuple(one for one in self.attributes if isinstance(one, str))

    def over(self, columns: Sequence[str]) -> Mapping:
        """The mapping with names in place of patterns, in the order of the file's columns.

        Raises Quarantine(INPUT_COLUMN_MISSING) for a pattern that no column fits, Stop(MAPPING_INVALID, TRUTH_COLUMN_IN_LIVE_ROW).
        """
        patterns = [one for one in self.attributes if isinstance(one, ColumnPattern)]
        if not patterns:
            return self
        used = {*self.live_columns(), *(self.truth.columns() if self.truth else ())}
        named: dict[str, None] = {}
        for one in self.attributes:
            found = [one] if isinstance(one, str) else [name for name in columns if one.fits(name) and name not in used]
            if not found:
                raise _no_column(one, columns)
            named |= dict.fromkeys(found)
        return parse_document({**self.document(), "attributes": list(named)}, "attributes")

    @property
    def exponents(self) -> dict[str, int] | None:
        """Currency → exponent of its minor unit, of the currencies that are declared; None where none are."""
        if self.currencies is None or isinstance(self.currencies, dict):
            return self.currencies
        return {code: exponent for code in self.currencies if (exponent := exponent_of(code)) is not None}

    @property
    def extra_currencies(self) -> tuple[str, ...]:
        """Currencies that are declared and that ISO 4217 does not have."""
        return tuple(sorted(code for code in self.exponents or () if exponent_of(code) is None))

    @property
    def form(self) -> CsvForm:
        """How a text file is written."""
        return self.csv or CsvForm()

    def live_columns(self) -> dict[str, str]:
        """Column → the place in a live row it is mapped to."""
        live = dict.fromkeys(self.id_columns, "id") | dict.fromkeys(self.time.names, "time") | dict.fromkeys(self.amount.names, "amount")
        live |= {one.column: "filter" for one in self.filter or ()}
        live |= {self.order: "order"} if self.order else {}
        live |= {value.column: name for name, value in (("currency", self.currency), ("kind", self.kind)) if value.column}
        live |= {column: f"entities.{name}" for name, column in self.entities.items()}
        return live | dict.fromkeys(self.attribute_names, "attributes")

    def document(self) -> dict[str, Any]:
        """The mapping with every default written out; parts that came later are there where they are given."""
        return self.model_dump(mode="json")

    def meaning(self) -> dict[str, Any]:
        """The document without what only says how a file is written or may hold: the same rows are the same world."""
        document = self.document()
        document.pop("csv", None)
        document.pop("ids_in_clear", None)
        if isinstance(self.currencies, tuple):  # these have the exponents of ISO 4217
            del document["currencies"]
        if self.amount.unit == "major":  # as without it
            del document["amount"]["unit"]
        truth = document["truth"] or {}
        truth.pop("negative", None)
        for time in (document["time"], truth.get("time") or {}):
            time.pop("earliest", None)
        return document

    @property
    def digest(self) -> str:
        """sha256 hex of the canonical JSON of the meaning; it is the world's `parameter_hash`."""
        return hex64(self.meaning())


#: the parts of a mapping, by their fields
_PARTS: Final[dict[str, type[Closed]]] = {
    "id": IdColumns, "time": TimeColumn, "amount": AmountColumn, "currency": Value, "kind": Value, "truth": Truth, "csv": CsvForm,
    "filter": RowFilter, "attributes": ColumnPattern,
}  # fmt: skip


def parse_mapping(text: str | bytes, where: str) -> Mapping:
    """Read a mapping. Raises Stop(MAPPING_INVALID) naming the field, Stop(TRUTH_COLUMN_IN_LIVE_ROW) naming the column."""
    return parse_document(read_document(text, Reason.MAPPING_INVALID, where), where)


def parse_document(document: dict[str, Any], where: str) -> Mapping:
    """A mapping of its keys and values. Raises as `parse_mapping`."""
    unsaid = list(_unsaid(document))
    if unsaid:
        what = f"{', '.join(unsaid)}: {TODO} stands for a value that the file does not tell"
        raise Stop(
            Reason.MAPPING_INVALID, what, where=where, remedy=f"Write the value in place of {TODO}; the comment above it says which."
        )
    try:
        mapping = Mapping.model_validate(document)
    except ValidationError as error:
        fault = fault_of(error, _PARTS, Mapping)
        raise Stop(Reason.MAPPING_INVALID, fault.what, where=where, remedy=fault.remedy) from None
    _refuse_truth_in_live_rows(mapping, where)
    return mapping


def _no_column(pattern: str | ColumnPattern, columns: Sequence[str]) -> Quarantine:
    shown = pattern if isinstance(pattern, str) else pattern.pattern
    what = f"no column fits the pattern '{shown}' that the mapping does not use elsewhere; the file has {', '.join(columns)}"
    return Quarantine(Reason.INPUT_COLUMN_MISSING, what, where="attributes", remedy="Correct the pattern in the mapping.")


def _unsaid(value: object, place: str = "") -> Iterator[str]:
    """Places that hold TODO in place of a value."""
    if value == TODO:
        yield place
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _unsaid(key, place)
            yield from _unsaid(one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for one in value:
            yield from _unsaid(one, place)


def load_mapping(name_or_path: str) -> Mapping:
    """A mapping from a file, or a shipped one by its name (`handbook`, `transfers`). Raises as `parse_mapping`."""
    path = Path(name_or_path)
    shipped = resources.files("assay.app.oracle") / "mappings" / f"{name_or_path}.yaml"
    if "/" not in name_or_path and shipped.is_file() and path.exists():
        raise Stop(
            Reason.MAPPING_INVALID,
            f"'{name_or_path}' is a shipped mapping, and there is a path of this name here",
            where=str(path.absolute()),
            remedy=f"Write ./{name_or_path} for the file. For the shipped mapping, rename the path or call assay from another folder.",
        )
    if path.is_file():
        return parse_mapping(path.read_bytes(), str(path))
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
            remedy = "Truth may reach a run only as a label, later; take the column out of the live part."
            raise _told(f"the truth column '{column}' is also mapped to {place}", where, remedy)
    for name, place in [
        *((name, f"entities.{name}") for name in mapping.entities),
        *((name, "attributes") for name in mapping.attribute_names),
    ]:
        if plain_name(name) in gate_truth_names():
            what = f"'{name}' ({place}) is a name that tells the truth about a payment: the gate refuses every payment that carries it"
            remedy = "Rename it in the file and in the mapping; if it is the truth, name it under truth.column or truth.also."
            raise _told(what, where, remedy)


def _told(what: str, where: str, remedy: str) -> Stop:
    return Stop(Reason.TRUTH_COLUMN_IN_LIVE_ROW, what, where=where, remedy=remedy)
