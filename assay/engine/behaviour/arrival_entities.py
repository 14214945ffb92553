"""State S1: the entities of each arrival, and the sessions of parties."""

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
from assay.engine.behaviour.channels import CHANNELS, shared
from assay.engine.behaviour.clientele import choose_parties, grouped
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse_incomplete, refuse_outside, refuse_unknown_merchant
from assay.engine.behaviour.outputs import ARRIVAL_ENTITIES, SESSION_INDEX
from assay.engine.behaviour.sessions import attach, count_sessions
from assay.engine.quantiles import exponential, tilted
from assay.engine.scenario import DAY_US, Scenario, days_of, time_parts
from assay.engine.segment import Scene, State

ARRIVALS = "arrival_events_5B"
ARRIVAL_COLUMNS = ("merchant_id", "arrival_seq", "ts_utc", "zone_representation", "is_virtual", "channel_group")
SECOND_US = 1_000_000
#: the names of columns that `attach` fills, in its order
_ATTACHED = ("account_id", "instrument_id", "device_id", "ip_id", "session_id")


@dataclass(frozen=True)
class Arrivals:
    """Columns of a part's arrivals in their order; times are microseconds since 1970. `ids` and `time` are columns of the input."""

    ids: pl.Series
    time: pl.Series
    merchant: NDArray[np.int64]
    seq: NDArray[np.int64]
    ts: NDArray[np.int64]
    channel: NDArray[np.int64]
    virtual: NDArray[np.bool_]
    zone: pl.Series


@dataclass(frozen=True)
class Town:
    """What all parts of S1 read."""

    people: people.Population
    shops: shops.Merchants


def prepare(scene: Scene) -> Town:
    """Index parties and merchants."""
    found = people.population(scene)
    return Town(found, shops.merchants(scene, found.countries))


def arrivals(scene: Scene, part: int, known: shops.Merchants) -> Arrivals:
    """The arrivals of a part. Raises Stop(ENGINE_GUARD_TRIPPED): an unknown merchant, or a time outside of the part's days."""
    rows = scene.table(ARRIVALS, part, ARRIVAL_COLUMNS)
    merchant = shops.places(known.ids, rows["merchant_id"].to_numpy())
    refuse_unknown_merchant(rows["merchant_id"].to_numpy(), merchant)
    ts = rows["ts_utc"].to_physical().to_numpy()
    start_us = scene.parameters.of(Scenario).start_us
    first, end = days_of(scene.parameters, part)
    refuse_outside(ARRIVALS, ts, start_us + first * DAY_US, start_us + end * DAY_US)
    channel = people.codes(rows["channel_group"], CHANNELS)
    channel = np.where(channel < 0, known.channel[merchant], channel)
    return Arrivals(
        rows["merchant_id"],
        rows["ts_utc"],
        frozen(merchant, np.int64),
        frozen(rows["arrival_seq"].to_numpy(), np.int64),
        frozen(ts, np.int64),
        frozen(channel, np.int64),
        frozen(rows["is_virtual"].to_numpy(), np.bool_),
        rows["zone_representation"],
    )


def make(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Entities and sessions of a part; a session lies in one part."""
    town: Town = scene.prepared
    came = arrivals(scene, part, town.shops)
    by_time = np.argsort(came.ts, kind="stable")
    party = _parties(scene, town, came, by_time, part)
    by_party, session = np.empty_like(by_time), np.empty_like(by_time)
    grouped(by_time, party, np.zeros(len(town.people.business) + 1, np.int64), by_party)
    timeout_us = scene.parameters.of(Behaviour).trips.timeout_s * SECOND_US
    sessions = count_sessions(by_party, party, came.ts, timeout_us, session)
    out, index = np.zeros((5, len(party)), np.int64), np.zeros((4, sessions), np.int64)
    _attach(scene, town, came, by_party, session, party, out, index)
    refuse_incomplete(ARRIVAL_ENTITIES.output_id, party, *out[:4])
    entities = pl.DataFrame(
        {"arrival_seq": came.seq, "merchant_id": came.ids, "ts_utc": came.time, "party_id": party, **dict(zip(_ATTACHED, out, strict=True))}
    )
    firsts = entities[index[2]].select("session_id", "party_id", "device_id", "account_id", "instrument_id", "merchant_id")
    span = [came.time[index[2]].alias("session_start_utc"), came.time[index[3]].alias("session_end_utc")]
    return {
        ARRIVAL_ENTITIES.output_id: entities,
        SESSION_INDEX.output_id: firsts.with_columns(pl.Series("arrival_count", index[1]), *span),
    }


def _parties(scene: Scene, town: Town, came: Arrivals, by_time: NDArray[np.int64], part: int) -> NDArray[np.int64]:
    behaviour, everyone = scene.parameters.of(Behaviour), town.people.everyone
    zone = people.codes(came.zone, town.shops.zones)
    country = town.shops.country[came.merchant, zone]
    order = np.empty_like(by_time)
    ends = np.zeros(len(everyone.home) + 1, np.int64)
    grouped(by_time, country, ends, order)
    first, end = days_of(scene.parameters, part)
    party = np.zeros(len(order), np.int64)
    clientele, trips = behaviour.clientele, behaviour.trips
    choose_parties(
        np.array([scene.key("arrivals"), scene.key("customers")]),
        order,
        ends,
        came.ts,
        came.merchant,
        came.seq,
        country,
        town.shops.customers,
        everyone.first,
        everyone.party,
        everyone.home,
        (tilted(clientele.visit_sigma), tilted(clientele.activity_sigma), exponential()),
        np.array([trips.continued, clientele.home_share]),
        np.array([trips.gap_mean_s * SECOND_US, trips.timeout_s * SECOND_US, (end - first) * DAY_US], np.float64),
        np.zeros(len(order), np.uint8),
        party,
    )
    return party


def _attach(
    scene: Scene,
    town: Town,
    came: Arrivals,
    order: NDArray[np.int64],
    session: NDArray[np.int64],
    party: NDArray[np.int64],
    out: NDArray[np.int64],
    index: NDArray[np.int64],
) -> None:
    behaviour, known = scene.parameters.of(Behaviour), town.people
    habits = behaviour.habits
    attach(
        np.array([scene.key("attachment"), scene.key("habits"), shared(scene, "channel"), scene.key("session")]),
        order,
        session,
        came.merchant,
        came.seq,
        came.channel,
        came.virtual,
        party,
        _arrays(known.instruments),
        _arrays(known.devices),
        _arrays(known.ips),
        known.account,
        np.array([habits.instrument, habits.device, habits.ip, behaviour.hybrid_ecom_share, habits.strange_device, habits.strange_ip]),
        out,
        index,
    )


def _arrays(items: people.Items) -> tuple[Any, Any, Any]:
    return items.first, items.item, items.usual


S1 = State(
    "S1",
    (ARRIVALS, *shops.INPUTS, *people.INPUTS),
    (ARRIVAL_ENTITIES, SESSION_INDEX),
    make,
    time_parts,
    prepare,
)
