"""The flows of a campaign: its laws as numbers and tables, and the entities that it draws from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen
from assay.engine.behaviour import merchants as shops
from assay.engine.behaviour import population as people
from assay.engine.behaviour.campaign_document import LAYERS_MAX, WIDTH_MAX, Campaigns, Motif, Template
from assay.engine.behaviour.campaign_layout import Campaign
from assay.engine.behaviour.channels import shared
from assay.engine.behaviour.crews import RING, ROWS, STOLEN, VICTIM, Company, Law, Lists, Tables, run_crews
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.flows import unit_lognormal
from assay.engine.behaviour.motifs import KINDS, UNIT_MAX, Shape, run_motifs
from assay.engine.quantiles import tilted
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
    _prefer: dict[tuple[tuple[str, ...], bool], people.Members] = field(default_factory=dict)

    def prefer(self, key: np.uint64, roles: tuple[str, ...], *, payable: bool) -> people.Members:
        """Parties of some roles by country; all where there are none. payable: only those with a current account."""
        found = self._prefer.get((roles, payable))
        if found is None:
            chosen = self.equipped[self.role.is_in(list(roles)).to_numpy()[self.equipped - 1]]
            if payable:
                chosen = chosen[self.people.payable[chosen] > 0]
            country = self.people.country[1:].astype(np.int64)
            known = len(self.people.countries)
            found = people.members_of(key, chosen.astype(np.int64), country, known) if len(chosen) else self.people.everyone
            self._prefer[roles, payable] = found
        return found


def bureau(scene: Scene, found: people.Population, known: shops.Merchants) -> Bureau:
    """Gather roles, risky devices, anonymising addresses and the offsets of countries."""
    document, countries = scene.parameters.of(Campaigns), len(found.countries)
    role = scene.table(PARTY_ROLES, columns=["party_id", "fraud_role_party"]).sort("party_id")["fraud_role_party"].cast(pl.String)
    devices = scene.table(DEVICE_ROLES, columns=["device_id", "fraud_role_device"])
    risky = devices.filter(pl.col("fraud_role_device").cast(pl.String).is_in(list(document.risky_devices)))["device_id"].sort().to_numpy()
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
        return _crew_flows(scene, campaign, campaign.law, office)
    return _motif_flows(scene, campaign, campaign.law, office)


def _crew_flows(scene: Scene, campaign: Campaign, law: Template, office: Bureau) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    crew, amount = law.crew, law.amount
    company = Company(
        crew.episodes,
        *crew.devices,
        *crew.ips,
        crew.preferred_share,
        crew.home_share,
        crew.risky_devices,
        crew.anonymous_ips,
        law.use.device,
        law.use.ip,
        law.episode.gap_s.median * SECOND_US,
        campaign.window_us,
        float(amount.median),
        amount.round_share,
        amount.round_step,
    )
    numbers = Law(
        _IDENTITIES[law.identity],
        *crew.members,
        *law.episode.flows,
        law.night_share,
        amount.point_share,
        amount.repeated_share,
        amount.values,
        law.merchants,
        int(law.merchant_scope == "WINDOW"),
    )
    prefer = office.prefer(shared(scene, "roles"), crew.prefer, payable=False)
    tables = _tables(scene, law.episode.gap_s.sigma, amount.sigma, amount.point_max)
    out, merchant = np.zeros((ROWS, campaign.flows), np.int64), np.zeros(campaign.flows)
    run_crews(campaign.keys, campaign.windows_us, company, numbers, _lists(office, prefer), tables, out, merchant)
    return out, merchant


def _motif_flows(scene: Scene, campaign: Campaign, law: Motif, office: Bureau) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    company = Company(
        law.units,
        *law.devices,
        *law.ips,
        law.preferred_share,
        law.home_share,
        1.0,
        law.anonymous_ips,
        law.crew_device,
        law.crew_device,
        law.gap_s.median * SECOND_US,
        campaign.window_us,
        law.amount.median,
        law.round_share,
        law.round_step,
    )
    shape = Shape(KINDS.index(law.kind), *law.width, law.length, law.fee, law.start_share)
    prefer = office.prefer(shared(scene, "roles"), _MULES, payable=True)
    out, merchant = np.zeros((ROWS, campaign.flows + UNIT_MAX), np.int64), np.zeros(campaign.flows + UNIT_MAX)
    widths = np.zeros(LAYERS_MAX + 1, np.int64)
    scratch = [np.zeros((LAYERS_MAX + 1, WIDTH_MAX), np.int64) for _ in range(3)]
    tables = _tables(scene, law.gap_s.sigma, law.amount.sigma, 0)
    lists = _lists(office, prefer)
    made = run_motifs(campaign.keys, campaign.windows_us, company, shape, lists, tables, widths, *scratch, campaign.flows, out, merchant)
    return np.ascontiguousarray(out[:, :made]), merchant[:made]


def _tables(scene: Scene, gap_sigma: str, amount_sigma: str, point_max: int) -> Tables:
    behaviour, document = scene.parameters.of(Behaviour), scene.parameters.of(Campaigns)
    points = [(value, weight) for value, weight in sorted(behaviour.purchases.price_points.items()) if value <= point_max]
    return Tables(
        tilted(behaviour.clientele.activity_sigma),
        unit_lognormal(gap_sigma),
        unit_lognormal(amount_sigma),
        frozen(np.array([value for value, _ in points], np.int64), np.int64),
        frozen(np.cumsum(np.array([weight for _, weight in points])), np.float64),
        frozen(np.cumsum(np.array(document.day_hours)), np.float64),
    )


def _lists(office: Bureau, prefer: people.Members) -> Lists:
    found = office.people
    items: list[Any] = [(item.first, item.item) for item in (found.instruments, found.devices, found.ips)]
    groups = [(members.first, members.party, members.home) for members in (prefer, found.everyone)]
    return Lists(
        *items, found.account, found.payable, found.owner, found.country, office.offset_us, *groups, office.risky, office.anonymous
    )
