"""Checks of segment 6B before its flag."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from assay.engine.behaviour.campaign_document import Campaigns, Motif, Template
from assay.engine.behaviour.campaign_plan import COUNTS
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.merchants import OUTLETS
from assay.engine.behaviour.outputs import CATALOGUE, SESSION_INDEX
from assay.engine.segment import Check, Scene, Verdict


def possible(scene: Scene) -> Mapping[str, Template | Motif]:
    """Label → law of those with enough arrivals of one of their channels: a very small world may lack a channel."""
    document = scene.parameters.of(Campaigns)
    shops = scene.table(OUTLETS, columns=["merchant_id", "channel"]).unique("merchant_id")
    came = (
        scene.table(COUNTS, columns=["merchant_id", "count"]).join(shops, on="merchant_id").group_by("channel").agg(pl.col("count").sum())
    )
    busy = came.filter(pl.col("count") >= document.channel_least * pl.col("count").sum())
    channels = {*busy["channel"].cast(pl.String).to_list()}
    return {label: law for label, law in document.laws.items() if channels & {*law.channels}}


def prevalence(scene: Scene) -> Verdict:
    """Flows of each subtype, over all flows, lie in their corridors."""
    rates = _rates(scene, "subtype")
    subtypes = {law.subtype for law in possible(scene).values()}
    corridors = {name: pair for name, pair in sorted(scene.parameters.of(Campaigns).corridors.items()) if name in subtypes}
    measured = {name: rates.get(name, 0.0) for name in corridors}
    passed = all(low <= measured[name] <= high for name, (low, high) in corridors.items())
    bounds = {f"{name} {edge}": value for name, pair in corridors.items() for edge, value in zip(("least", "most"), pair, strict=True)}
    return Verdict(passed, measured, bounds)


def placed(scene: Scene) -> Verdict:
    """Campaigns found arrivals: of each label there is at least `placed_least` of its share of flows."""
    least = scene.parameters.of(Campaigns).placed_least
    rates = _rates(scene, "campaign_label")
    measured = {label: rates.get(label, 0.0) / law.share for label, law in possible(scene).items() if law.share}
    return Verdict(all(share >= least for share in measured.values()), measured, {"least": least})


def singletons(scene: Scene) -> Verdict:
    """Sessions with one arrival, of the first part."""
    most = scene.parameters.of(Behaviour).trips.singletons_most
    share = float((scene.table(SESSION_INDEX.output_id, 0, ["arrival_count"])["arrival_count"] == 1).to_numpy().mean())
    return Verdict(share <= most, {"share": share}, {"most": most})


def _rates(scene: Scene, column: str) -> Mapping[str, float]:
    """Campaign flows over all flows; of whole numbers, so that no order of adding shows."""
    flows = scene.table(CATALOGUE.output_id, columns=[column, "flows"]).group_by(column).agg(pl.col("flows").sum())
    total = int(scene.table(COUNTS, columns=["count"])["count"].sum())
    return {name: count / total for name, count in sorted(flows.iter_rows())}


CHECKS = (
    Check("prevalence of campaigns", (CATALOGUE.output_id, COUNTS, OUTLETS), prevalence),
    Check("campaigns found their arrivals", (CATALOGUE.output_id, COUNTS, OUTLETS), placed, required=False),
    Check("sessions with one arrival", (SESSION_INDEX.output_id,), singletons, required=False),
)
