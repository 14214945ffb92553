"""The mapping of a topic: that of a file of payments or labels, over records. What only a whole file could tell is refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import polars as pl

from assay.app.labels.label_file import LabelMapping, load_label_mapping, told_labels
from assay.app.oracle.live_columns import live_frame
from assay.app.oracle.mapping import Mapping, load_mapping, parse_document
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.reading import declared
from assay.app.oracle.refusing import ROW, refuse_row
from assay.app.oracle.row_filters import taken_rows
from assay.app.oracle.source_order import order_numbers
from assay.app.streamer.envelopes import Framer, between_quotes
from assay.app.streamer.gate_client import BATCH_PATH
from assay.contracts.errors import Stop
from assay.contracts.limits import SOURCE_ORDER_MAX
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

PRODUCER: Final = "kafka_connect"
LABELS_PATH: Final = "/v1/labels"
#: what a row becomes: `id` names it in the gate's answer, `body` is its JSON
ITEM_COLUMNS: Final = (ROW, "id", "body")


class TopicMapping(Protocol):
    """What becomes of the records of a topic."""

    @property
    def path(self) -> str:
        """Where the gate takes the items."""

    @property
    def columns(self) -> Sequence[str]:
        """The fields that are read."""

    @property
    def amounts(self) -> Collection[str]:
        """Those of them that hold amounts."""

    @property
    def form(self) -> CsvForm:
        """How texts are written."""

    def items(self, frame: pl.DataFrame, partition: int, now_us: int) -> pl.DataFrame:
        """Rows of `ITEM_COLUMNS`; rows that `filter` leaves out are not among them.

        `frame` has the offset of each record as ROW, and texts. Raises Quarantine: RowsRefused for rows at fault, as the import of a file.
        """


class Payments(NamedTuple):
    """Payments as envelopes of a run. `future_us`: how far ahead of the clock a payment may be."""

    mapping: Mapping
    framer: Framer
    topic: str
    future_us: int
    path: str = BATCH_PATH

    @property
    def columns(self) -> Sequence[str]:
        """As in `TopicMapping`."""
        return list(self.mapping.live_columns())

    @property
    def amounts(self) -> Collection[str]:
        """As in `TopicMapping`."""
        return self.mapping.amount.names

    @property
    def form(self) -> CsvForm:
        """As in `TopicMapping`."""
        return self.mapping.form

    def items(self, frame: pl.DataFrame, partition: int, now_us: int) -> pl.DataFrame:
        """As in `TopicMapping`. An order that the mapping names is the place of a payment among those of its time."""
        taken = taken_rows(declared(frame, self.form), self.mapping.filter or (), whole=False)
        if taken.is_empty():
            return pl.DataFrame(schema=dict.fromkeys(ITEM_COLUMNS, pl.String)).cast({ROW: pl.Int64})
        rows = live_frame(taken, _with_point(self.mapping), now_us + self.future_us, whole=False)
        ids = rows["source_id"] if self.mapping.id_columns else self._places(taken[ROW], partition)
        rows = rows.with_columns(ids.alias("event_id"), *_orders(taken, self.mapping.order))
        bodies = self.framer.payments(rows, between_quotes(pl.col("event_id")))
        return pl.DataFrame([taken[ROW], rows["event_id"].alias("id"), bodies.alias("body")])

    def _places(self, offsets: pl.Series, partition: int) -> pl.Series:
        """The ids of payments that have none of their own: their places in the topic."""
        return pl.Series([f"{self.topic}:{partition}:{offset}" for offset in offsets], dtype=pl.String)


class Labels(NamedTuple):
    """Labels in the short form, under the ids with which their payments were admitted."""

    mapping: LabelMapping
    future_us: int
    path: str = LABELS_PATH

    @property
    def columns(self) -> Sequence[str]:
        """As in `TopicMapping`."""
        return list(dict.fromkeys(self.mapping.columns))

    @property
    def amounts(self) -> Collection[str]:
        """As in `TopicMapping`."""
        return ()

    @property
    def form(self) -> CsvForm:
        """As in `TopicMapping`."""
        return self.mapping.csv or CsvForm()

    def items(self, frame: pl.DataFrame, partition: int, now_us: int) -> pl.DataFrame:
        """As in `TopicMapping`."""
        told = told_labels(declared(frame, self.form), self.mapping, None, now_us + self.future_us, whole=False)
        known_at = pl.col("known_us").cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        body = pl.struct("payment", "label", known_at.alias("known_at"), pl.lit(self.mapping.source).alias("source")).struct.json_encode()
        return told.select(pl.col("row").alias(ROW), pl.col("payment").alias("id"), body.alias("body"))


def refuse_ids_told(found: TopicMapping, pseudonymise: Collection[str], where: str) -> None:
    """Refuse payments whose ids a run would tell in clear: it replaces those of the entities `pseudonymise`.

    Raises Stop(MAPPING_INVALID) for a mapping that declares other ones, or has the column of such an entity at another place.
    """
    if not isinstance(found, Payments):
        return
    others = sorted(set(found.mapping.pseudonymise or ()).difference(pseudonymise))
    if others:
        what = f"pseudonymise: the run does not replace the ids of {', '.join(others)}"
        remedy = f"Begin the run with them: `assay up {' '.join(f'--pseudonymise {name}' for name in others)}`."
        raise Stop(Reason.MAPPING_INVALID, what, where=where, remedy=remedy)
    named = [name for name in pseudonymise if name in found.mapping.entities]
    if named:
        parse_document({**found.mapping.document(), "pseudonymise": named}, where)


def topic_mapping(given: str, topic: str, pins: Pins, run_id: str, future_us: int, fields: Collection[str] | None) -> TopicMapping:
    """The mapping of a file, over a topic. `fields`: those of its Avro schema, None for JSON.

    Raises Stop(MAPPING_INVALID) for what only a whole file could tell, Stop(INPUT_COLUMN_MISSING), and as `load_mapping`.
    """
    path = Path(given)
    if path.is_file() and "label" in read_document(path.read_bytes(), Reason.MAPPING_INVALID, given):
        told = load_label_mapping(path)
        if told.event_id is None:
            remedy = "Name the column that holds the id under which the payment was admitted: event_id in place of source_id."
            raise Stop(Reason.MAPPING_INVALID, "the labels of a topic name their payments by event_id", where=given, remedy=remedy)
        found: TopicMapping = Labels(told, future_us)
    else:
        mapping = load_mapping(given)
        _refuse_open(mapping, given, fields)
        found = Payments(mapping.over(sorted(fields)) if fields else mapping, Framer(pins, run_id, PRODUCER), topic, future_us)
    for column in found.columns:
        if fields is not None and column not in fields and column.partition(".")[0] not in fields:
            what = f"the mapping names the column '{column}', the schema has {', '.join(sorted(fields))}"
            raise Stop(Reason.INPUT_COLUMN_MISSING, what, where=given, remedy="Correct the mapping, or give the schema of this topic.")
    return found


def _refuse_open(mapping: Mapping, where: str, fields: Collection[str] | None) -> None:
    """Refuse what depends on all rows of a file: a topic has no end, and a record may not depend on those before it."""
    what, remedy = "", ""
    if fields is None and len(mapping.attribute_names) < len(mapping.attributes):
        what, remedy = "patterns of attributes need the names of all columns", "Name the attributes, or give the Avro --schema."
    elif mapping.currency.column is not None and mapping.currencies is None:
        what = f"the column '{mapping.currency.column}' may hold any currency, and their amounts cannot be added"
        remedy = "Declare those that may come: 'currencies: [EUR, USD]'."
    if what:
        raise Stop(Reason.MAPPING_INVALID, f"for a topic: {what}", where=where, remedy=remedy)


def _with_point(mapping: Mapping) -> Mapping:
    """A point is one of decimals where nothing else is declared; a text in which it may be another is refused before."""
    if mapping.form.decimal is not None or mapping.form.thousands is not None:
        return mapping
    return mapping.model_copy(update={"csv": mapping.form.model_copy(update={"decimal": "."})})


def _orders(frame: pl.DataFrame, column: str | None) -> list[pl.Series]:
    if column is None:
        return []
    orders = order_numbers(frame, column)
    remedy = f"Give a whole number from 0 to {SOURCE_ORDER_MAX}, or leave 'order' out: then the order of arrival counts."
    outside = ~orders.is_between(0, SOURCE_ORDER_MAX)
    refuse_row(frame, outside, Reason.INPUT_VALUE_INVALID, column, "no place in an order", remedy)
    return [orders.alias("source_order")]
