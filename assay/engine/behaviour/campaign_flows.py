"""The flows of a campaign: its laws as numbers and tables, and the entities that it draws from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.behaviour import merchants as shops
from assay.engine.behaviour import population as people
from assay.engine.behaviour.campaign_document import LAYERS_MAX, WIDTH_MAX, Campaigns, Motif, Template
from assay.engine.behaviour.campaign_layout import Campaign
from assay.engine.behaviour.channels import shared
from assay.engine.behaviour.crew_means import Asking, Means, ask, connect
from assay.engine.behaviour.crews import ACCOUNT, COUNTERPARTY, INSTRUMENT, PARTY, RING, ROWS, STOLEN, VICTIM, Who, run_crews
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.flows import unit_lognormal
from assay.engine.behaviour.guards import refuse_incomplete
from assay.engine.behaviour.motifs import KINDS, UNIT_MAX, Shape, instruments_of, run_motifs
from assay.engine.behaviour.outputs import PLAN
from assay.engine.entities.frames import by_part
from assay.engine.quantiles import Table, tilted
from assay.engine.scenario import Scenario
from assay.engine.segment import Scene

PARTY_ROLES, DEVICE_ROLES, TIMETABLE = "s5_party_fraud_roles_6A", "s5_device_fraud_roles_6A", "tz_timetable_cache"
#: what `bureau` reads beside population and merchants
OFFICE_INPUTS = (PARTY_ROLES, DEVICE_ROLES, TIMETABLE)
SECOND_US = 1_000_000
#: roles of 6A whose parties launder
_MULES = ("MULE",)
_IDENTITIES = {"STOLEN": STOLEN, "VICTIM": VICTIM, "RING": RING}
Ids: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True)
class Bureau:
    """What all campaigns draw from. offset_us: of countries from UTC; equipped: parties that can pay, in order."""

    people: people.Population
    shops: shops.Merchants
    offset_us: NDArray[np.int64]
    equipped: Ids
    role: pl.Series
    risky: Ids
    anonymous: Ids
    activity: Table
    hours: NDArray[np.float64]
    _groups: dict[tuple[tuple[str, ...], bool], tuple[Ids, Ids, Ids]] = field(default_factory=dict)

    def groups(self, key: np.uint64, roles: tuple[str, ...], *, payable: bool) -> tuple[Ids, Ids, Ids]:
        """Groups of all parties and of those of some roles, as `a_party` takes them. payable: only those with a current account."""
        found = self._groups.get((roles, payable))
        if found is None:
            chosen = self.equipped[self.role.cast(pl.String).is_in(list(roles)).to_numpy()[self.equipped - 1]]
            if payable:
                chosen = chosen[self.people.payable[chosen] > 0]
            everyone, country = self.people.everyone, self.people.country[1:]
            some = people.members_of(key, chosen.astype(np.int64), country, len(self.people.countries)) if len(chosen) else everyone
            first = np.concatenate([everyone.first[:-1], some.first + len(everyone.party)])
            group = np.concatenate([everyone.home, some.home + len(everyone.home)])
            party = np.concatenate([everyone.party, some.party])
            found = self._groups[roles, payable] = (frozen(first, np.int32), frozen(party, np.int32), frozen(group, np.int32))
        return found


def bureau(scene: Scene, found: people.Population, known: shops.Merchants) -> Bureau:
    """Gather roles, risky devices, anonymising addresses and the offsets of countries."""
    document, countries = scene.parameters.of(Campaigns), len(found.countries)
    role = pl.concat(by_part(scene, PARTY_ROLES, ["party_id", "fraud_role_party"])).sort("party_id")["fraud_role_party"]
    wanted = pl.col("fraud_role_device").cast(pl.String).is_in(list(document.risky_devices))
    devices = [rows.filter(wanted)["device_id"] for rows in by_part(scene, DEVICE_ROLES, ["device_id", "fraud_role_device"])]
    risky = pl.concat(devices).sort().to_numpy()
    reached = np.diff(found.ips.first)
    types = scene.table(people.IP, columns=["ip_id", "ip_type"])
    anonymous = types.filter(pl.col("ip_type").cast(pl.String).is_in(list(document.anonymous_ips)))["ip_id"].sort().to_numpy()
    return Bureau(
        found,
        known,
        frozen(_offsets(scene, found.countries, known), np.int64),
        frozen(np.sort(found.everyone.party[: found.everyone.first[countries]]), np.int32),
        role,
        frozen(risky[reached[risky] > 0], np.int32),
        frozen(anonymous, np.int32),
        tilted(scene.parameters.of(Behaviour).clientele.activity_sigma),
        frozen(np.cumsum(np.array(document.day_hours)), np.float64),
    )


def _offsets(scene: Scene, countries: tuple[str, ...], known: shops.Merchants) -> NDArray[np.int64]:
    """Microseconds from UTC of each country's first zone when the horizon begins; 0 where none is known."""
    start = pl.lit(scene.parameters.of(Scenario).start_us).cast(pl.Datetime("us", "UTC"))
    times = scene.table(TIMETABLE, columns=["tzid", "from_utc", "offset_s"]).filter(pl.col("from_utc") <= start).sort("from_utc")
    latest = times.unique("tzid", keep="last", maintain_order=True)
    offset_s = dict(zip(latest["tzid"].cast(pl.String).to_list(), latest["offset_s"].to_list(), strict=True))
    zones = (
        scene.table(shops.PROFILE, columns=["country_iso", "tzid"]).select(pl.all().cast(pl.String)).unique().sort("country_iso", "tzid")
    )
    of_country = dict(reversed(list(zip(zones["country_iso"].to_list(), zones["tzid"].to_list(), strict=True))))
    return np.array([offset_s.get(of_country.get(name, ""), 0) * SECOND_US for name in countries], np.int64)


def flows_of(scene: Scene, campaign: Campaign, office: Bureau) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The flows of a campaign by rows, and the draw of each one's merchant."""
    if isinstance(campaign.law, Template):
        out, merchant = _crew_flows(scene, campaign, campaign.law, office)
        crew, use = campaign.law.crew, campaign.law.use
        means = Means(*crew.devices, *crew.ips, crew.risky_devices, crew.anonymous_ips, use.device, use.ip)
    else:
        out, merchant = _motif_flows(scene, campaign, campaign.law, office)
        law = campaign.law
        means = Means(*law.devices, *law.ips, 1.0, law.anonymous_ips, law.crew_device, law.crew_device)
    devices, ips = office.people.devices, office.people.ips
    own = (devices.first, devices.item, ips.first, ips.item)
    connect(campaign.keys[0], campaign.keys[2], means, *own, office.risky, office.anonymous, out)
    return out, merchant


def _crew_flows(scene: Scene, campaign: Campaign, law: Template, office: Bureau) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    crew, episode, amount, found = law.crew, law.episode, law.amount, office.people
    who = Who(
        _IDENTITIES[law.identity],
        crew.episodes,
        *crew.members,
        *episode.flows,
        crew.preferred_share,
        crew.home_share,
        law.night_share,
        law.merchants,
        int(law.merchant_scope == "WINDOW"),
        episode.gap_s.median * SECOND_US,
        campaign.window_us,
    )
    most = campaign.flows + episode.flows[1]
    out, merchant = np.zeros((ROWS, most), np.int64), np.zeros(most)
    groups = office.groups(shared(scene, "roles"), crew.prefer, payable=False)
    cards = (found.instruments.first, found.instruments.item)
    places = (found.country, office.offset_us, office.hours)
    gap = unit_lognormal(episode.gap_s.sigma)
    made = run_crews(campaign.keys, campaign.windows_us, who, *groups, office.activity, *cards, *places, gap, campaign.flows, out, merchant)
    out, merchant = np.ascontiguousarray(out[:, :made]), merchant[:made]
    out[ACCOUNT] = found.account[out[INSTRUMENT]]
    out[COUNTERPARTY] = found.payable[out[COUNTERPARTY]]
    asking = Asking(amount.median, amount.point_share, amount.repeated_share, amount.values, amount.round_share, amount.round_step)
    points = _points(scene, amount.point_max)
    ask(campaign.keys[0], campaign.keys[2], asking, unit_lognormal(amount.sigma), *points, out)
    return out, merchant


def _motif_flows(scene: Scene, campaign: Campaign, law: Motif, office: Bureau) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found = office.people
    shape = Shape(
        KINDS.index(law.kind),
        *law.width,
        law.length,
        law.units,
        law.fee,
        law.start_share,
        law.preferred_share,
        law.home_share,
        law.gap_s.median * SECOND_US,
        campaign.window_us,
        law.amount.median,
        law.round_share,
        law.round_step,
    )
    out, merchant = np.zeros((ROWS, campaign.flows + UNIT_MAX), np.int64), np.zeros(campaign.flows + UNIT_MAX)
    groups = office.groups(shared(scene, "roles"), _MULES, payable=True)
    places = (found.payable, found.country, office.offset_us, office.hours)
    tables = (unit_lognormal(law.gap_s.sigma), unit_lognormal(law.amount.sigma))
    widths = np.zeros(LAYERS_MAX + 1, np.int64)
    node, ready, money = (np.zeros((LAYERS_MAX + 1, WIDTH_MAX), np.int64) for _ in range(3))
    scratch = (widths, node, ready, money)
    activity = office.activity
    made = run_motifs(
        campaign.keys, campaign.windows_us, shape, *groups, activity, *places, *tables, *scratch, campaign.flows, out, merchant
    )
    out = np.ascontiguousarray(out[:, :made])
    refuse_incomplete(PLAN.output_id, out[ACCOUNT], out[COUNTERPARTY])
    out[PARTY] = found.owner[out[ACCOUNT]]
    cards = found.instruments
    instruments_of(out[ACCOUNT], found.owner, cards.first, cards.item, found.account, out[INSTRUMENT])
    return out, merchant[:made]


def _points(scene: Scene, most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    points = [(value, weight) for value, weight in sorted(scene.parameters.of(Behaviour).purchases.price_points.items()) if value <= most]
    ends = np.cumsum(np.array([weight for _, weight in points]))
    return frozen(np.array([value for value, _ in points], np.int64), np.int64), frozen(ends, np.float64)
