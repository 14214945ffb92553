"""Every decision of a run beside its payment and what became known of it: one frame, from which all figures are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from assay.app.oracle.mapping import Mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.contracts.currencies import ISO_4217

ENTITY: Final = "entity."
#: columns of a payment, of a run that does not have it at hand: nulls
_PAYMENT: Final = {"source_id": pl.String, "amount_minor": pl.Int64, "currency": pl.String}


@dataclass(frozen=True)
class Labels:
    """What is known of fraud. `source` is `file` (the sealed world's truth) or `posted`, "" for nothing yet.

    `labelled` counts the decided payments that have a label, `frauds` those of them that are fraud. A payment without a label counts
    as no fraud.
    """

    source: str
    labelled: int
    frauds: int


def judged(decisions: pl.DataFrame, world: SealedWorld | None, posted: pl.DataFrame | None) -> tuple[pl.DataFrame, Labels]:
    """Decisions with columns `fraud`, source_id, amount_minor, currency and entity.<name>, in their order."""
    truth, source = _labels(world, posted)
    frame = (
        decisions
        if world is None
        else decisions.drop(_PAYMENT, strict=False).join(_payments(world), on="event_id", how="left", maintain_order="left")
    )
    frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in _PAYMENT.items() if name not in frame.columns)
    frame = frame.join(truth, on="event_id", how="left", maintain_order="left")
    labelled = int(frame["fraud"].is_not_null().sum())
    frame = frame.with_columns(pl.col("fraud").fill_null(value=False))
    return frame, Labels(source if labelled or source == "file" else "", labelled, int(frame["fraud"].sum()))


def entities_of(frame: pl.DataFrame) -> list[str]:
    """Names of the entities that the payments of a frame have."""
    return [name.removeprefix(ENTITY) for name in frame.columns if name.startswith(ENTITY)]


def exponents_of(world: SealedWorld | None) -> dict[str, int]:
    """Currency → exponent of its minor unit: as the world's mapping declares it, else as ISO 4217 has it."""
    declared = None if world is None else Mapping.model_validate(world.manifest.mapping).exponents
    return {**ISO_4217, **(declared or {})}


def _payments(world: SealedWorld) -> pl.DataFrame:
    columns = ["event_id", *_PAYMENT, *(f"{ENTITY}{name}" for name in world.manifest.entities)]
    return pl.concat([world.stream_part(part).select(columns) for part in world.manifest.stream_view]).with_columns(
        pl.col("source_id").cast(pl.String)
    )


def _labels(world: SealedWorld | None, posted: pl.DataFrame | None) -> tuple[pl.DataFrame, str]:
    """Columns event_id and fraud, each payment once: the file's truth, else what was posted; and which of them it is."""
    if world is not None and world.manifest.truth:
        return world.truth().select("event_id", fraud=pl.col("label") == 1), "file"
    if posted is None:
        return pl.DataFrame(schema={"event_id": pl.String, "fraud": pl.Boolean}), ""
    return posted.select("event_id", "fraud"), "posted"
