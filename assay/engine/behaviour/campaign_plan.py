"""State S3A: campaigns are planned before anything is overlaid: catalogue, targets, one row for each arrival taken, and the truth graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.behaviour import merchants as shops
from assay.engine.behaviour import population as people
from assay.engine.behaviour.assignment import assign, room_for
from assay.engine.behaviour.campaign_document import Campaigns, Motif
from assay.engine.behaviour.campaign_flows import OFFICE_INPUTS, Bureau, bureau, flows_of
from assay.engine.behaviour.campaign_layout import Campaign, campaigns_of
from assay.engine.behaviour.channels import CHANNELS, arrival_row, mixed, shared
from assay.engine.behaviour.crews import EPISODE, ROWS, TS
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse_incomplete, refuse_outside, refuse_twice, refuse_unknown_merchant
from assay.engine.behaviour.outputs import CATALOGUE, PLAN, SUBGRAPH, TARGETS
from assay.engine.behaviour.truth_graph import graph, targets
from assay.engine.scenario import DAY_US, Scenario
from assay.engine.segment import Scene, State

COUNTS, MERCHANT_ROLES = "s3_bucket_counts_5B", "s5_merchant_fraud_roles_6A"
#: the columns that `run_crews` and `run_motifs` fill, in order of their rows
_COLUMNS = (
    "ts_us",
    "party_id",
    "account_id",
    "instrument_id",
    "device_id",
    "ip_id",
    "counterparty_account_id",
    "amount_minor",
    "episode",
    "role",
)


@dataclass(frozen=True)
class Days:
    """Arrivals by merchant and day: first_seq[m, d] is the number of the first one of the day, first_seq[m, d + 1] that after its last."""

    first_seq: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Arrivals by merchant and day."""
        return np.diff(self.first_seq, axis=1)


def days_of_merchants(scene: Scene, known: shops.Merchants) -> Days:
    """Numbers of arrivals by day, of counts by hour."""
    rows = scene.table(COUNTS, columns=["merchant_id", "bucket_index", "count"])
    place = shops.places(known.ids, rows["merchant_id"].to_numpy())
    refuse_unknown_merchant(rows["merchant_id"].to_numpy(), place)
    first_seq = np.zeros((len(known.ids), scene.parameters.of(Scenario).days + 1), np.int64)
    np.add.at(first_seq, (place, rows["bucket_index"].to_numpy() // 24 + 1), rows["count"].to_numpy())
    return Days(frozen(np.cumsum(first_seq, axis=1) + 1, np.int64))


@dataclass(frozen=True)
class Planned:
    """Flows by column: rows as `run_crews` writes them, number: of the campaign, place of the merchant or -1, number of the arrival."""

    campaigns: Sequence[Campaign]
    known: shops.Merchants
    total: int
    number: NDArray[np.int64]
    flows: NDArray[np.int64]
    place: NDArray[np.int64]
    seq: NDArray[np.int64]


def make(scene: Scene, _: int) -> Mapping[str, pl.DataFrame]:
    """Plan all campaigns."""
    return _frames(scene, _planned(scene))


def _planned(scene: Scene) -> Planned:
    """All flows with their arrivals. The entities are let go of when this returns."""
    found = people.population(scene)
    known = shops.merchants(scene, found.countries)
    days = days_of_merchants(scene, known)
    total = int(days.counts.sum())
    campaigns = campaigns_of(scene, total)
    office = bureau(scene, found, known)
    made = [flows_of(scene, campaign, office) for campaign in campaigns]
    flows = np.concatenate([np.zeros((ROWS, 0), np.int64), *(rows for rows, _ in made)], axis=1)
    number = np.repeat(np.arange(len(campaigns)), [rows.shape[1] for rows, _ in made])
    merchant = np.concatenate([np.zeros(0), *(draws for _, draws in made)])
    made.clear()
    place, seq = _assigned(scene, office, days, campaigns, number, merchant, flows)
    return Planned(campaigns, known, total, number, flows, place, seq)


def _assigned(
    scene: Scene,
    office: Bureau,
    days: Days,
    campaigns: Sequence[Campaign],
    number: NDArray[np.int64],
    merchant: NDArray[np.float64],
    flows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    scenario, known = scene.parameters.of(Scenario), office.shops
    refuse_outside(PLAN.output_id, flows[TS], scenario.start_us, scenario.end_us)
    labels = sorted({campaign.label for campaign in campaigns})
    of_campaign = np.array([labels.index(campaign.label) for campaign in campaigns] or [0], np.int64)
    by_label = {campaign.label: campaign for campaign in campaigns}
    weights = _merchant_weights(scene, known, by_label, labels)
    whole = np.array([by_label[label].law.merchant_scope == "WINDOW" for label in labels] or [False])
    ends = np.cumsum(_daily(days.counts, weights, whole), axis=2)
    place, seq = np.zeros(len(number), np.int64), np.zeros(len(number), np.int64)
    assign(
        scene.key("assignment"),
        (flows[TS] - scenario.start_us) // DAY_US,
        of_campaign[number],
        merchant,
        frozen(ends.reshape(-1), np.float64),
        days.first_seq,
        known.channel,
        scene.parameters.of(Campaigns).merchant_day_share,
        scene.parameters.of(Behaviour).cash.step,
        np.zeros((len(known.ids), scenario.days), np.int64),
        room_for(len(number)),
        flows,
        place,
        seq,
    )
    return place, seq


def _daily(counts: NDArray[np.int64], weights: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights by label, day and merchant, and at the end those of all days.

    whole: labels whose merchants are used for a window. These are drawn by the square of their arrivals, for they need many of them.
    """
    total = counts.sum(axis=1).astype(np.float64)
    of_all = np.where(whole[:, None], total * total, total)
    return np.concatenate([counts.T[None, :, :] * weights[:, None, :], (of_all * weights)[:, None, :]], axis=1)


def _merchant_weights(
    scene: Scene, known: shops.Merchants, campaigns: Mapping[str, Campaign], labels: Sequence[str]
) -> NDArray[np.float64]:
    """By label and merchant: how likely one of its arrivals is taken."""
    table = scene.table(MERCHANT_ROLES, columns=["merchant_id", "fraud_role_merchant"]).sort("merchant_id")
    roles = dict(zip(table["merchant_id"].to_list(), table["fraud_role_merchant"].cast(pl.String).to_list(), strict=True))
    role = [roles.get(merchant, "") for merchant in known.ids.tolist()]
    weights = np.zeros((max(len(labels), 1), len(known.ids)))
    for row, label in enumerate(labels):
        channels = {str(name): weight for name, weight in campaigns[label].law.channels.items()}
        by_channel = np.array([channels.get(name, 0.0) for name in CHANNELS])
        weights[row] = by_channel[known.channel] * np.array([campaigns[label].law.merchant_roles.get(name, 1.0) for name in role])
    return weights


def _frames(scene: Scene, planned: Planned) -> Mapping[str, pl.DataFrame]:
    campaigns, known = planned.campaigns, planned.known
    kept = np.flatnonzero(whole_units(campaigns, planned.number, planned.flows, planned.place))
    number, place, seq = planned.number[kept], planned.place[kept], planned.seq[kept]
    flows = np.ascontiguousarray(planned.flows[:, kept])
    numbers, flow_id = np.zeros(len(kept), np.int64), np.zeros(len(kept), np.int64)
    _number_flows(shared(scene, "flow ids"), place, seq, numbers, flow_id)
    refuse_twice(PLAN.output_id, numbers)
    rows = dict(zip(_COLUMNS, flows, strict=False))
    refuse_incomplete(PLAN.output_id, *(rows[name] for name in _COLUMNS[1:6]))
    names = pl.Series([campaign.campaign_id for campaign in campaigns], dtype=pl.String)
    roles = [campaign.law.roles for campaign in campaigns]
    words = pl.Series([role for words in roles for role in words], dtype=pl.String)
    first = np.cumsum([0, *(len(words) for words in roles)])
    counterparty = pl.Series(rows["counterparty_account_id"])
    plan = pl.DataFrame({name: rows[name] for name in _COLUMNS[1:6]} | {"amount_minor": rows["amount_minor"], "episode": rows["episode"]})
    plan = plan.with_columns(
        campaign_id=names.gather(number),
        merchant_id=pl.Series(known.ids[place]),
        arrival_seq=pl.Series(seq),
        counterparty_account_id=counterparty.set(counterparty == 0, None),
        ts_utc=pl.Series(rows["ts_us"]).cast(pl.Datetime("us", "UTC")),
        role=words.gather(first[number] + rows["role"]),
    )
    return {
        CATALOGUE.output_id: _catalogue(campaigns, number, planned.total),
        TARGETS.output_id: targets(plan),
        PLAN.output_id: plan,
        SUBGRAPH.output_id: graph(plan.with_columns(flow_id=pl.Series(flow_id), number=pl.Series(number)), campaigns),
    }


def whole_units(
    campaigns: Sequence[Campaign], number: NDArray[np.int64], flows: NDArray[np.int64], place: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The flows that have an arrival; a unit of a motif that lacks one of its edges is given up."""
    laundered = np.array([isinstance(campaign.law, Motif) for campaign in campaigns] or [False])[number]
    unit = number * (1 + int(flows[EPISODE].max(initial=0))) + flows[EPISODE]
    return (place >= 0) & ~(laundered & np.isin(unit, unit[laundered & (place < 0)]))


def _catalogue(campaigns: Sequence[Campaign], number: NDArray[np.int64], total: int) -> pl.DataFrame:
    flows = np.bincount(number, minlength=len(campaigns))
    aims = [campaign.law.target for campaign in campaigns]
    times = {
        "window_start_utc": [int(campaign.windows_us[0]) for campaign in campaigns],
        "window_end_utc": [int(campaign.windows_us[-1]) + campaign.window_us for campaign in campaigns],
    }
    return pl.DataFrame(
        {
            "campaign_id": [campaign.campaign_id for campaign in campaigns],
            "campaign_label": [campaign.label for campaign in campaigns],
            "subtype": [campaign.law.subtype for campaign in campaigns],
            "fraud_rate": flows / max(total, 1),
            "flows": flows,
            **{name: pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")) for name, values in times.items()},
            "target_gap_s": [float(aim.gap_s) for aim in aims],
            "target_burst_flows": [float(aim.burst_flows) for aim in aims],
            "target_parties_per_device": [float(aim.parties_per_device) for aim in aims],
            "target_device_hour_flows": [float(aim.device_hour_flows) for aim in aims],
            "target_amount": [float(aim.amount) for aim in aims],
        }
    )


@kernel
def _number_flows(key: Any, place: Any, seq: Any, number: Any, flow_id: Any) -> None:
    for i in range(len(place)):
        number[i] = arrival_row(place[i], seq[i])
        flow_id[i] = mixed(number[i], key)


S3A = State(
    "S3A",
    (
        COUNTS,
        MERCHANT_ROLES,
        *OFFICE_INPUTS,
        *shops.INPUTS,
        *people.INPUTS,
    ),
    (CATALOGUE, TARGETS, PLAN, SUBGRAPH),
    make,
)
