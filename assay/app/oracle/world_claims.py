"""What a manifest says of a world's rows: computed from them at import, and from the stored ones again when a world is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from assay.app.oracle.import_interface import digests as interface_digests
from assay.app.oracle.import_interface import documents
from assay.app.oracle.mapping import Mapping
from assay.app.oracle.mapping_truth import Truth
from assay.app.oracle.world_identity import RELEASE, column_digests, event_ids, manifest_fingerprint
from assay.contracts.ids import oracle_pack_id

#: the order of a world's rows: how they are digested, stored and streamed
ROW_ORDER = ("ts_us", "source_order")
_STORED_TRUTH = {"label": "truth.label", "observed_ts_us": "truth.observed_ts_us"}


def claims(rows: pl.DataFrame, mapping: Mapping, set_aside: dict[str, int]) -> dict[str, Any]:
    """Fields of a manifest, as JSON holds them: all but its version and its parts.

    `rows`: the columns of a live row and of its label, in their order. `set_aside`: code → rows of the file that are not among them.
    """
    digests = column_digests(rows)
    fingerprint = manifest_fingerprint(len(rows), digests, mapping.digest, set_aside)
    key: dict[str, str | int] = {"manifest_fingerprint": fingerprint, "parameter_hash": mapping.digest}
    key |= {"scenario_id": mapping.scenario_id, "seed": mapping.seed}
    return {  # what follows from others stands behind them
        "mapping": mapping.document(),
        "parameter_hash": mapping.digest,
        "scenario_id": mapping.scenario_id,
        "seed": mapping.seed,
        "output_id": mapping.output_id,
        "entities": _named(rows, "entity."),
        "attributes": _named(rows, "attribute."),
        "column_digests": digests,
        "rows": len(rows),
        "min_ts_us": int(rows["ts_us"][0]),
        "max_ts_us": int(rows["ts_us"][-1]),
        "currencies": sorted(rows["currency"].unique()),
        "kinds": dict(sorted(rows["kind"].value_counts().iter_rows())),
        "truth_summary": _summary(rows, mapping.truth),
        **({"set_aside": set_aside} if set_aside else {}),
        "manifest_fingerprint": fingerprint,
        "oracle_pack_id": oracle_pack_id(key, RELEASE, *interface_digests(documents(mapping.output_id, digests))),
    }


def ids_of(source_ids: pl.Series, fingerprint: str, mapping: Mapping) -> pl.Series:
    """The event ids of rows in a world."""
    ids = event_ids(mapping.output_id, source_ids, fingerprint, mapping.digest, mapping.seed, mapping.scenario_id)
    return pl.Series("event_id", ids, pl.String)


def known_truth(world: pl.DataFrame) -> pl.DataFrame:
    """What is stored of truth: a row per payment of which somebody knows, under the payment's event id and time."""
    others = [name for name in world.columns if name.startswith("truth.") and name not in _STORED_TRUTH.values()]
    told = [pl.col(name).alias(stored) for stored, name in _STORED_TRUTH.items()]
    return world.filter(pl.col("truth.label").is_not_null()).select("event_id", "ts_us", *told, *others)


def stored_rows(view: Sequence[pl.DataFrame], truth: Sequence[pl.DataFrame], mapping: Mapping) -> pl.DataFrame:
    """The rows of `claims` with their event ids, put together again from the parts of a world."""
    rows = pl.concat(view)
    if truth:
        labels = pl.concat(truth).rename(_STORED_TRUTH)
        rows = rows.join(labels, on=["event_id", "ts_us"], how="left")
    elif mapping.truth is not None:  # nobody knows of any payment
        unknown = {**dict.fromkeys(_STORED_TRUTH.values(), pl.Int64), **{f"truth.{name}": pl.String for name in mapping.truth.also}}
        rows = rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in unknown.items())
    return rows.sort(*ROW_ORDER)


def differing(held: dict[str, Any], found: dict[str, Any]) -> str:
    """The first claim that is not what was found, with the keys where it differs; empty when all are."""
    for name, value in found.items():
        if held[name] != value:
            if not isinstance(held[name], dict) or not isinstance(value, dict):
                return name
            keys = sorted(key for key in {**held[name], **value} if held[name].get(key) != value.get(key))
            return f"{name} ({', '.join(keys)})"
    return ""


def _named(rows: pl.DataFrame, prefix: str) -> list[str]:
    """In the mapping's order, which the columns keep and the manifest's copy of the mapping does not: its keys are sorted."""
    return [name.removeprefix(prefix) for name in rows.columns if name.startswith(prefix)]


def _summary(rows: pl.DataFrame, truth: Truth | None) -> dict[str, Any] | None:
    if truth is None:
        return None
    known, positives = rows["truth.label"].count(), int(rows["truth.label"].sum())
    emitted = positives if truth.emit == "positive" else known
    told = {"emit": truth.emit, "source": truth.source, "delay_us": truth.delay_us}
    return {"rows": known, "positives": positives, "emitted": emitted, **told}
