"""The document `behaviour.yaml`: habits of customers and laws of amounts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from assay.engine.parameters import Document

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Minor = Annotated[int, Field(ge=1, le=2**40)]
#: a decimal number as text, as tables take them
Decimals = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]
Channel = Literal["ECOM", "POS", "ATM", "BANK_RAIL"]


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Usual(Part):
    """Types of entities that are usual at a channel."""

    instruments: tuple[str, ...]
    devices: tuple[str, ...]
    ips: tuple[str, ...]


class Clientele(Part):
    """Customers of merchants."""

    visits_per_customer: Positive
    visit_sigma: Decimals
    activity_sigma: Decimals
    home_share: Share


class Trips(Part):
    """Shopping trips and sessions, in seconds."""

    continued: Share
    gap_mean_s: Annotated[int, Field(ge=1)]
    timeout_s: Annotated[int, Field(ge=1)]
    singletons_most: Share


class Habits(Part):
    """Shares of the preferred choice."""

    instrument: Share
    device: Share
    ip: Share
    strange_device: Share
    strange_ip: Share


class Purchases(Part):
    """Amounts of cards, in minor units."""

    price_point_share: Share
    price_points: dict[Minor, Positive]
    median: dict[str, Minor]
    channel_factor: dict[Literal["ECOM", "POS"], Positive]
    sigma: Decimals
    party_sigma: Decimals
    merchant_sigma: Decimals
    business_factor: Positive
    round_share: Share
    ending_share: Share
    half_share: Share


class Cash(Part):
    """Amounts of cash, in minor units."""

    point_share: Share
    points: dict[Minor, Positive]
    median: Minor
    sigma: Decimals
    step: Minor


class Transfers(Part):
    """Payments between accounts, in minor units."""

    payees: Annotated[int, Field(ge=1, le=1000)]
    visit_sigma: Decimals
    business_payee_share: Share
    home_share: Share
    payable: tuple[str, ...]
    standing_share: Share
    median: Minor
    sigma: Decimals
    round_share: Share
    round_step: Minor


class Latency(Part):
    """Seconds until the response."""

    mu: Decimals
    sigma: Decimals
    low_s: Decimals
    high_s: Decimals


class Bounds(Part):
    """Least and most."""

    low: Minor
    high: Minor


class Behaviour(Document):
    """Who pays, with what and how much."""

    document = "behaviour"
    hybrid_ecom_share: Share
    usual: dict[Channel, Usual]
    clientele: Clientele
    trips: Trips
    habits: Habits
    purchases: Purchases
    cash: Cash
    transfers: Transfers
    latency: Latency
    amount_minor: Bounds
