"""Checks of segment 6B before its flag."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from assay.engine.behaviour.campaign_document import Campaigns
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.outputs import CATALOGUE, SESSION_INDEX
from assay.engine.segment import Check, Scene, Verdict


def prevalence(scene: Scene) -> Verdict:
    """Flows of each subtype, over all flows, lie in their corridors."""
    rows = scene.table(CATALOGUE.output_id, columns=["subtype", "fraud_rate"])
    rates = dict(rows.group_by("subtype").agg(pl.col("fraud_rate").sum()).iter_rows())
    corridors = scene.parameters.of(Campaigns).corridors
    measured = {name: float(rates.get(name, 0.0)) for name in sorted(corridors)}
    passed = all(low <= measured[name] <= high for name, (low, high) in corridors.items())
    bounds = {
        f"{name} {edge}": value for name, pair in sorted(corridors.items()) for edge, value in zip(("least", "most"), pair, strict=True)
    }
    return Verdict(passed, measured, bounds)


def placed(scene: Scene) -> Verdict:
    """Campaigns found arrivals for what they planned: of each label at least `placed_least` of its share of flows."""
    document = scene.parameters.of(Campaigns)
    rates = dict(scene.table(CATALOGUE.output_id, columns=["campaign_label", "fraud_rate"]).group_by("campaign_label").sum().iter_rows())
    wanted = {label: law.share for label, law in document.templates.items()} | {label: law.share for label, law in document.motifs.items()}
    measured: Mapping[str, float] = {label: float(rates.get(label, 0.0)) / share for label, share in sorted(wanted.items()) if share}
    return Verdict(all(share >= document.placed_least for share in measured.values()), measured, {"least": document.placed_least})


def singletons(scene: Scene) -> Verdict:
    """Sessions with one arrival, of the first part."""
    most = scene.parameters.of(Behaviour).trips.singletons_most
    share = float((scene.table(SESSION_INDEX.output_id, 0, ["arrival_count"])["arrival_count"] == 1).to_numpy().mean())
    return Verdict(share <= most, {"share": share}, {"most": most})


CHECKS = (
    Check("prevalence of campaigns", (CATALOGUE.output_id,), prevalence),
    Check("campaigns found their arrivals", (CATALOGUE.output_id,), placed),
    Check("sessions with one arrival", (SESSION_INDEX.output_id,), singletons, required=False),
)
