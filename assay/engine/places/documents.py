"""The parameter documents of layer 1: countries, zones, places."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from assay.engine.laws import Block, DecimalText, Lognormal, Positive, Share, Weight, some_weight
from assay.engine.parameters import Document, read_shipped

Mcc = Literal["DIGITAL_GOODS", "GENERAL_RETAIL", "HIGH_CHARGEBACK_RISK", "HOSPITALITY", "MONEY_SERVICES", "TRAVEL"]
Demand = Literal[
    "consumer_daytime",
    "evening_weekend",
    "fuel_convenience",
    "online_24h",
    "online_bursty",
    "office_hours",
    "bills_utilities",
    "travel_hospitality",
]
Channel = Literal["ECOM", "POS", "ATM", "BANK_RAIL", "HYBRID"]
MCC_CLASSES: tuple[Mcc, ...] = get_args(Mcc)
DEMAND_CLASSES: tuple[Demand, ...] = get_args(Demand)
CHANNELS: tuple[Channel, ...] = get_args(Channel)
Region = Literal["REGION_AFRICA", "REGION_AMER", "REGION_APAC", "REGION_EMEA", "REGION_LATAM"]
Count = Annotated[int, Field(ge=1)]
HOUR_S = 3600


class City(NamedTuple):
    """Degrees north and east, a weight, an IANA zone."""

    name: str
    lat: Annotated[float, Field(ge=-85, le=85)]
    lon: Annotated[float, Field(ge=-179, le=179)]
    weight: Positive
    tzid: str


class Country(Block):
    """`share`: weight as the home of a merchant."""

    region: Region
    share: Weight
    cities: Annotated[list[City], Field(min_length=1)]


class Countries(Document):
    """Countries by ISO code. A zone belongs to one country, so that a zone says where a payment happens."""

    document = "countries"
    countries: Annotated[dict[Annotated[str, Field(pattern="^[A-Z]{2}$")], Country], Field(min_length=2)]

    @model_validator(mode="after")
    def _zones_of_one_country(self) -> Self:
        owner: dict[str, str] = {}
        for iso, country in self.countries.items():
            for city in country.cities:
                if owner.setdefault(city.tzid, iso) != iso:
                    raise ValueError(f"zone {city.tzid} stands in {owner[city.tzid]} and {iso}")
        return self

    @property
    def isos(self) -> list[str]:
        """Codes in ASCII order; a number of a country is a place in it."""
        return sorted(self.countries)


class Change(NamedTuple):
    """From this instant on the offset of a zone is so many seconds, east positive."""

    from_utc: AwareDatetime
    offset_s: Annotated[int, Field(gt=-86_400, lt=86_400)]


class Zones(Document):
    """Civil time of every zone between two instants. Offsets change at full hours of UTC."""

    document = "zones"
    valid_from_utc: AwareDatetime
    valid_to_utc: AwareDatetime
    zones: dict[str, Annotated[list[Change], Field(min_length=1)]]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for tzid, changes in self.zones.items():
            instants = [change.from_utc.astimezone(UTC) for change in changes]
            if instants[0] != self.valid_from_utc or instants != sorted(set(instants)):
                raise ValueError(f"{tzid} does not begin at valid_from_utc, or its changes are out of order")
            if any(instant.timestamp() % HOUR_S for instant in instants):
                raise ValueError(f"{tzid} changes its offset within an hour")
        return self

    def covers(self, start: datetime, end_us: int) -> bool:
        """Whether the table holds from an instant to another (microseconds since 1970)."""
        return self.valid_from_utc <= start and end_us <= int(self.valid_to_utc.timestamp()) * 1_000_000


class Outlets(Block):
    """Outlets of a merchant: a lognormal body and a bounded Pareto tail."""

    least: Count
    mu: DecimalText
    sigma: DecimalText
    tail_share: Share
    tail_exponent: DecimalText
    tail_from: DecimalText
    most: DecimalText


class Foreign(Block):
    """Outlets abroad."""

    countries: Annotated[list[Weight], Field(min_length=1)]
    outlet_share: Share
    region_affinity: Positive


class Virtual(Block):
    """Online merchants and their edges."""

    share: Share
    classes: list[Demand]
    edges: Count
    home_affinity: Positive


def _all_given(table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for weights in table.values():
        some_weight(weights)
    return table


class Places(Document):
    """Merchants, outlets, sites, weights and edges; the document says units and sources."""

    document = "places"
    mcc_classes: Annotated[dict[Mcc, Weight], AfterValidator(some_weight)]
    demand_classes: Annotated[dict[Mcc, dict[Demand, Weight]], AfterValidator(_all_given)]
    channels: Annotated[dict[Demand, dict[Channel, Weight]], AfterValidator(_all_given)]
    outlets: Outlets
    foreign: Foreign
    city_radius_deg: Annotated[float, Field(gt=0, le=0.2)]
    site_weight: Lognormal
    day_effect_shape: Count
    virtual: Virtual
    edge_weight: Lognormal

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for given, wanted in ((self.demand_classes, MCC_CLASSES), (self.channels, DEMAND_CLASSES)):
            missing = [name for name in wanted if name not in given]
            if missing:
                raise ValueError(f"there are no weights for {missing[0]}")
        return self


@cache
def zone_words() -> tuple[str, ...]:
    """The zones of the shipped document in ASCII order: the vocabulary of zone columns."""
    return tuple(sorted(read_shipped("zones.yaml")["zones"]))


@cache
def country_words() -> tuple[str, ...]:
    """The countries of the shipped document in ASCII order: the vocabulary of country columns."""
    return tuple(sorted(read_shipped("countries.yaml")["countries"]))
