"""Every decision of a run beside its payment and what became known of it: one frame, from which all figures are taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import polars as pl

from assay.app.oracle.mapping import Mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.contracts.currencies import ISO_4217

ENTITY: Final = "entity."
#: columns of a payment in a sealed world, and those that decisions have of their payments
_PAYMENT: Final = {"source_id": pl.String, "kind": pl.String, "amount_minor": pl.Int64, "currency": pl.String}
_OWN: Final = {
    "amount_minor": pl.Int64(),
    "currency": pl.String(),
    "entity_names": pl.List(pl.String),
    "entity_ids": pl.List(pl.String),
}


@dataclass(frozen=True)
class Labels:
    """What is known of fraud. `source` is `file` (the sealed world's truth) or `posted`, "" for nothing yet.

    `labelled` counts the decided payments that have a label, `frauds` those of them that are fraud. A payment without a label counts
    as no fraud.
    """

    source: str
    labelled: int
    frauds: int


def judged(
    decisions: pl.DataFrame, world: SealedWorld | None, posted: pl.DataFrame | None, pseudonymise: Collection[str] = ()
) -> tuple[pl.DataFrame, Labels]:
    """Decisions with columns `fraud`, source_id, kind, amount_minor, currency and entity.<name>, in their order.

    What is known of payments is from the sealed world; of a run without one, from the decisions themselves, which have no kind. Ids of the
    entities `pseudonymise` are always those of decisions: the world has them in clear.
    """
    truth, source = _labels(world, posted)
    frame = _of_decisions(decisions) if world is None else _of_world(decisions, world, pseudonymise)
    frame = frame.join(truth, on="event_id", how="left", maintain_order="left")
    labelled = int(frame["fraud"].is_not_null().sum())
    frame = frame.with_columns(pl.col("fraud").fill_null(value=False))
    return frame, Labels(source if labelled or source == "file" else "", labelled, int(frame["fraud"].sum()))


def _of_world(decisions: pl.DataFrame, world: SealedWorld, pseudonymise: Collection[str]) -> pl.DataFrame:
    columns = ["event_id", *_PAYMENT, *(f"{ENTITY}{name}" for name in world.manifest.entities if name not in pseudonymise)]
    payments = pl.concat([world.stream_part(part).select(columns) for part in world.manifest.stream_view])
    own = decisions.drop(_OWN, strict=False)
    if pseudonymise:
        told = _of_decisions(decisions)
        own = own.with_columns(told[name] for name in told.columns if name in {f"{ENTITY}{one}" for one in pseudonymise})
    return own.join(payments.with_columns(pl.col("source_id").cast(pl.String)), on="event_id", how="left", maintain_order="left")


def _of_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """Decisions of older versions have no currency, or not even its column: then nothing is known of their payments."""
    absent = [pl.lit(None, kind).alias(name) for name, kind in _OWN.items() if name not in decisions.columns]
    frame = decisions.with_columns(absent).with_columns(currency=pl.col("currency").replace("", None))
    named = frame.select(pl.int_range(pl.len()).alias("at"), "entity_names", "entity_ids").explode("entity_names", "entity_ids")
    named = named.drop_nulls("entity_names")
    frame = frame.with_columns(
        amount_minor=pl.when(pl.col("currency").is_not_null()).then("amount_minor"),
        source_id=pl.lit(None, pl.String),
        kind=pl.lit(None, pl.String),
    )
    frame = frame.with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    for name in named["entity_names"].unique().sort():
        of = named.filter(pl.col("entity_names") == name).select("at", pl.col("entity_ids").alias(f"{ENTITY}{name}"))
        frame = frame.join(of, on="at", how="left", maintain_order="left")
    return frame.drop("at", "entity_names", "entity_ids")


def entities_of(frame: pl.DataFrame) -> list[str]:
    """Names of the entities that the payments of a frame have."""
    return [name.removeprefix(ENTITY) for name in frame.columns if name.startswith(ENTITY)]


def exponents_of(world: SealedWorld | None) -> dict[str, int]:
    """Currency → exponent of its minor unit: as the world's mapping declares it, else as ISO 4217 has it."""
    declared = None if world is None else Mapping.model_validate(world.manifest.mapping).exponents
    return {**ISO_4217, **(declared or {})}


def _labels(world: SealedWorld | None, posted: pl.DataFrame | None) -> tuple[pl.DataFrame, str]:
    """Columns event_id and fraud, each payment once: the file's truth, else what was posted; and which of them it is."""
    if world is not None and world.manifest.truth:
        return world.truth().select("event_id", fraud=pl.col("label") == 1), "file"
    if posted is None:
        return pl.DataFrame(schema={"event_id": pl.String, "fraud": pl.Boolean}), ""
    return posted.select("event_id", "fraud"), "posted"
