"""State S2: one flow for each arrival, its amount, and its two events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.behaviour import merchants as shops
from assay.engine.behaviour import population as people
from assay.engine.behaviour.amounts import pay
from assay.engine.behaviour.arrival_entities import ARRIVALS, SECOND_US, arrivals
from assay.engine.behaviour.channels import shared
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse, refuse_incomplete
from assay.engine.behaviour.outputs import ARRIVAL_ENTITIES, BASELINE_EVENTS, BASELINE_FLOWS, EVENT_TYPES
from assay.engine.quantiles import Table, lognormal, tilted
from assay.engine.scenario import Scenario, time_parts
from assay.engine.segment import Scene, State

#: NumPy divides as IEEE says; Polars would multiply by 1 / 100, and amounts would differ in their last bits
_CENT = 100.0


@dataclass(frozen=True)
class Laws:
    """Tables and numbers of `pay`, in its order."""

    purchase: tuple[Any, ...]
    cash: tuple[Any, ...]
    transfer: tuple[Any, ...]
    latency: Table
    bounds: NDArray[np.float64]


def unit_lognormal(sigma: str) -> Table:
    """Lognormal factors of median 1."""
    return lognormal("0", sigma, "0.001", "10000")


def numbers(*values: float) -> NDArray[np.float64]:
    """An array that kernels take."""
    return frozen(np.array(values, np.float64), np.float64)


def laws(scene: Scene, demand: tuple[str, ...]) -> Laws:
    """The document as tables. `demand`: classes in order of their codes."""
    behaviour, horizon = scene.parameters.of(Behaviour), scene.parameters.of(Scenario)
    bought, cash, moved, waits = behaviour.purchases, behaviour.cash, behaviour.transfers, behaviour.latency
    shares = (bought.price_point_share, bought.round_share, bought.ending_share, bought.half_share, bought.business_factor)
    purchase = (
        *_weighted(bought.price_points),
        numbers(*(bought.median[name] for name in demand)),
        numbers(bought.channel_factor["ECOM"], bought.channel_factor["POS"]),
        *(unit_lognormal(sigma) for sigma in (bought.sigma, bought.party_sigma, bought.merchant_sigma)),
        numbers(*shares),
    )
    drawn = (*_weighted(cash.points), unit_lognormal(cash.sigma), numbers(cash.point_share, cash.median, cash.step))
    habits = (moved.payees, moved.business_payee_share, moved.home_share, moved.standing_share, moved.median)
    transfer = (
        tilted(moved.visit_sigma),
        tilted(behaviour.clientele.activity_sigma),
        unit_lognormal(moved.sigma),
        numbers(*habits, moved.round_share, moved.round_step),
    )
    seconds = lognormal(waits.mu, waits.sigma, waits.low_s, waits.high_s)
    limits = numbers(behaviour.amount_minor.low, behaviour.amount_minor.high, horizon.end_us - 1, behaviour.hybrid_ecom_share)
    return Laws(purchase, drawn, transfer, frozen(seconds * SECOND_US, np.float64), limits)


def _weighted(weights: Mapping[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    ordered = sorted(weights.items())
    ends = np.cumsum(np.array([weight for _, weight in ordered]))
    return frozen(np.array([value for value, _ in ordered], np.int64), np.int64), frozen(ends, np.float64)


@dataclass(frozen=True)
class Market:
    """What all parts of S2 read."""

    people: people.Payers
    shops: shops.Merchants


def prepare(scene: Scene) -> Market:
    """Index merchants and who pays and is paid; instruments and devices are not kept, S1 has chosen them."""
    found = people.payers(scene)
    return Market(found, shops.merchants(scene, found.countries))


def make(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Flows and events of a part, in the order of its arrivals."""
    town: Market = scene.prepared
    came = arrivals(scene, part, town.shops)
    held = scene.table(ARRIVAL_ENTITIES.output_id, part, [column.name for column in ARRIVAL_ENTITIES.columns])
    party, account, seq = (frozen(held[name].to_numpy(), np.int64) for name in ("party_id", "account_id", "arrival_seq"))
    refuse_incomplete(ARRIVAL_ENTITIES.output_id, party, account)
    refuse("entities of the same arrivals", ARRIVAL_ENTITIES.output_id, seq != came.seq, "rows of other arrivals", seq)
    known, found = town.people, laws(scene, town.shops.demand)
    out = np.zeros((4, len(party)), np.int64)
    pay(
        np.array(
            [scene.key("flows"), scene.key("amount habits"), shared(scene, "channel"), shared(scene, "flow ids"), scene.key("payees")]
        ),
        came.merchant,
        came.seq,
        came.ts,
        came.channel,
        came.virtual,
        party,
        account,
        town.shops.demand_class,
        known.business,
        known.country,
        known.payable,
        (known.everyone.first, known.everyone.party, known.everyone.home),
        (known.businesses.first, known.businesses.party, known.businesses.home),
        found.purchase,
        found.cash,
        found.transfer,
        found.latency,
        found.bounds,
        out,
    )
    payee = pl.Series("counterparty_account_id", out[2])
    flows = held.drop("session_id").with_columns(
        flow_id=pl.Series(out[0]), amount=pl.Series(out[1] / _CENT), counterparty_account_id=payee.set(payee == 0, None)
    )
    return {BASELINE_FLOWS.output_id: flows, BASELINE_EVENTS.output_id: events(flows, out[3])}


def events(flows: pl.DataFrame, response_us: NDArray[np.int64], *further: str) -> pl.DataFrame:
    """Two events for each flow: the request at its time, and the response. `further`: columns of flows that events have too."""
    rows = np.repeat(np.arange(len(flows)), 2)
    second = np.tile(np.array([0, 1], np.uint8), len(flows))
    ts = np.repeat(flows["ts_utc"].to_physical().to_numpy(), 2)
    ts[1::2] = response_us
    return flows.select("flow_id", "amount", *further)[rows].with_columns(
        event_seq=pl.Series(second.astype(np.int64)),
        event_type=pl.Series(EVENT_TYPES, dtype=pl.Enum(EVENT_TYPES)).gather(second),
        ts_utc=pl.Series(ts).cast(pl.Datetime("us", "UTC")),
    )


S2 = State(
    "S2",
    (ARRIVALS, ARRIVAL_ENTITIES.output_id, *shops.INPUTS, *people.INPUTS),
    (BASELINE_FLOWS, BASELINE_EVENTS),
    make,
    time_parts,
    prepare,
)
