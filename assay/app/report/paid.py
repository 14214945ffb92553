"""The payment behind a decision: its amount, its entities by name and the id it has in its file, from whoever still tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from assay.app.bus.topic_reader import read_records
from assay.app.oracle.mapping import Mapping as FileMapping
from assay.app.oracle.sealed_world import SealedWorld, find_world
from assay.app.oracle.world_manifest import WorldPart
from assay.app.run.directory import Run
from assay.codecs.single_object import unpack
from assay.contracts.currencies import amount_text
from assay.contracts.errors import AssayError
from assay.contracts.topics import topic_named
from assay.contracts.visible import one_line

_ENTITY = "entity."


class Paid(NamedTuple):
    """A payment. `amount_minor` None and empty texts are what nobody tells any more. `source_id` is its id in the file of the world.

    `exponents` are those of currencies that ISO 4217 does not have.
    """

    amount_minor: int | None = None
    currency: str = ""
    entities: Mapping[str, str] = {}
    kind: str = ""
    source_id: str = ""
    exponents: Mapping[str, int] = {}

    def money(self, minor: float) -> str:
        """An amount of the payment's currency in words: `310.00 EUR`."""
        return amount_text(minor, self.currency, self.exponents.get(self.currency))

    @property
    def amount(self) -> str:
        """The payment's amount in words."""
        return "amount no longer at hand" if self.amount_minor is None else self.money(self.amount_minor)


def paid_of(run: Run, decision: Mapping[str, Any], properties: Mapping[str, str] | None = None) -> Paid:
    """The payment of a decision: what the decision says, then the sealed world, then the record on the bus if neither knows.

    An id that the run replaces by a token is not told from the world, which has it in clear.
    """
    told, source = told_by(decision), decision["source_event"]
    world = find_world(run.store, run.config.manifest_fingerprint)
    row = None if world is None else row_at(world, source["ts_utc"], source["event_id"])
    if world is not None and row is not None:
        of_file = _of_row(row, world)
        in_clear = {name: id_ for name, id_ in of_file.entities.items() if name not in run.config.pseudonymise}
        return of_file._replace(entities={**in_clear, **told.entities})
    if told.currency:
        return told
    return _on_bus(run, source, properties) or told


def told_by(decision: Mapping[str, Any]) -> Paid:
    """What a decision itself says; those of older versions say nothing."""
    currency = decision.get("currency", "")
    if not currency:
        return Paid()
    return Paid(decision["amount_minor"], currency, {name: id_ for name, id_ in decision["entities"].items() if id_})


def row_at(world: SealedWorld, ts_us: int, event_id: str) -> dict[str, Any] | None:
    """The row of an event at a time, as a dictionary of its columns."""
    parts = (part for part in world.manifest.stream_view if part.min_ts_us <= ts_us <= part.max_ts_us)
    return next(_rows(world, parts, pl.col("event_id") == event_id), None)


def row_named(world: SealedWorld, wanted: str) -> dict[str, Any] | None:
    """The row that has this event id, or this id in the file; all parts are read."""
    return next(_rows(world, world.manifest.stream_view, (pl.col("event_id") == wanted) | (pl.col("source_id") == wanted)), None)


def short_id(run: Run, ts_us: int, event_id: str) -> str:
    """What a person calls a payment on a command line: its id in the file, else (also where that could not be typed) its event id."""
    world = find_world(run.store, run.config.manifest_fingerprint)
    row = None if world is None else row_at(world, ts_us, event_id)
    source_id = "" if row is None else str(row["source_id"])
    return source_id if source_id and source_id == one_line(source_id) and not source_id.startswith("-") else event_id


def event_id_of(run: Run, wanted: str) -> str:
    """The event id of the payment that has this id in the file of the run's world; `wanted` itself where none has, or no world is there."""
    world = find_world(run.store, run.config.manifest_fingerprint)
    row = None if world is None else row_named(world, wanted)
    return wanted if row is None else str(row["event_id"])


def _rows(world: SealedWorld, parts: Iterator[WorldPart] | list[WorldPart], which: pl.Expr) -> Iterator[dict[str, Any]]:
    for part in parts:
        yield from world.stream_part(part).filter(which).iter_rows(named=True)


def _of_row(row: Mapping[str, Any], world: SealedWorld) -> Paid:
    entities = {name.removeprefix(_ENTITY): id_ for name, id_ in row.items() if name.startswith(_ENTITY) and id_ is not None}
    exponents = FileMapping.model_validate(world.manifest.mapping).exponents or {}
    return Paid(int(row["amount_minor"]), row["currency"], entities, row["kind"], row["source_id"], exponents)


def _on_bus(run: Run, source: Mapping[str, Any], properties: Mapping[str, str] | None) -> Paid | None:
    at = {"partition": source["partition"], "first": source["offset"], "last": source["offset"]}
    try:
        records = read_records(run.bootstrap, topic_named(source["topic"], run.namespace).handle, run.namespace, properties, **at)
        record = next((unpack(record.value)[1] for record in records if record.value), None)
    except AssayError:
        return None
    if record is None:
        return None
    entities = {one["name"]: one["id"] for one in record["entities"]}
    return Paid(record["amount_minor"], record["currency"], entities, record["kind"])
