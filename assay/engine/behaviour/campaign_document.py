"""The document `campaigns.yaml`: templates of fraud, and motifs of laundering."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from assay.engine.behaviour.document import Decimals, Minor, Part, Positive, Share
from assay.engine.parameters import Document

Count = Annotated[int, Field(ge=0, le=1_000_000)]
Range = tuple[Count, Count]
Kind = Literal["PARTY", "ACCOUNT", "INSTRUMENT", "DEVICE", "IP", "MERCHANT"]
MerchantChannel = Literal["ECOM", "POS", "ATM", "BANK_RAIL", "HYBRID"]
#: accounts of a layer at most, and layers of a unit at most
WIDTH_MAX, LAYERS_MAX = 16, 12


class Windows(Part):
    """How many windows a campaign has, and how long each is."""

    count: Annotated[int, Field(ge=1, le=20)]
    days: Annotated[int, Field(ge=1)]


class Spread(Part):
    """A lognormal, by its median."""

    median: Positive
    sigma: Decimals


class Crew(Part):
    """Who runs episodes, and with what."""

    episodes: Annotated[int, Field(ge=1)]
    members: Range
    devices: Range
    ips: Range
    prefer: tuple[str, ...]
    preferred_share: Share
    home_share: Share
    risky_devices: Share
    anonymous_ips: Share


class Use(Part):
    """Shares of flows that go through the crew's infrastructure."""

    device: Share
    ip: Share


class Episode(Part):
    """Flows that belong together in time."""

    flows: Range
    gap_s: Spread


class Amount(Part):
    """What is paid, in minor units."""

    median: Minor
    sigma: Decimals
    point_share: Share
    point_max: Annotated[int, Field(ge=0)]
    repeated_share: Share
    values: Annotated[int, Field(ge=1)]
    round_share: Share
    round_step: Minor


class Target(Part):
    """What an instance aims at; reports measure the distance to it."""

    gap_s: Positive
    burst_flows: Positive
    parties_per_device: Positive
    device_hour_flows: Positive
    amount: Positive


class Template(Part):
    """A kind of campaign."""

    subtype: str
    share: Share
    instances: dict[Count, Positive]
    windows: Windows
    channels: dict[MerchantChannel, Positive]
    merchant_roles: dict[str, Positive]
    merchants: Annotated[int, Field(ge=1, le=64)]
    merchant_scope: Literal["EPISODE", "WINDOW"]
    identity: Literal["STOLEN", "VICTIM", "RING"]
    crew: Crew
    use: Use
    episode: Episode
    night_share: Share
    amount: Amount
    edge: tuple[Kind, Kind]
    role: str
    target: Target

    @property
    def roles(self) -> tuple[str, ...]:
        """Words of the roles of flows, by their code."""
        return (self.role,)


class Motif(Part):
    """A kind of laundering."""

    kind: Literal["CYCLE", "FAN_IN", "FAN_OUT", "STACK", "SCATTER_GATHER", "GATHER_SCATTER"]
    share: Share
    instances: dict[Count, Positive]
    windows: Windows
    width: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(le=WIDTH_MAX)]]
    length: Annotated[int, Field(ge=0, le=LAYERS_MAX)]
    units: Annotated[int, Field(ge=1)]
    fee: Share
    gap_s: Spread
    amount: Spread
    round_share: Share
    round_step: Minor
    crew_device: Share
    devices: Range
    ips: Range
    anonymous_ips: Share
    preferred_share: Share
    home_share: Share
    start_share: Share
    target: Target

    @property
    def subtype(self) -> str:
        """Subtype of truth."""
        return "MULE_ACTIVITY"

    @property
    def channels(self) -> dict[MerchantChannel, float]:
        """Laundering moves money between accounts."""
        return {"BANK_RAIL": 1.0}

    @property
    def merchant_roles(self) -> dict[str, float]:
        """The merchant does not matter."""
        return {}

    @property
    def merchant_scope(self) -> Literal["EPISODE", "WINDOW"]:
        """Each flow has a merchant of its own."""
        return "EPISODE"

    @property
    def edge(self) -> tuple[Kind, Kind]:
        """Money goes from account to account."""
        return "ACCOUNT", "ACCOUNT"

    @property
    def roles(self) -> tuple[str, ...]:
        """Words of the roles of flows, by their code."""
        return "PLACEMENT", "LAYERING", "INTEGRATION"


class Campaigns(Document):
    """All kinds of campaigns."""

    document = "campaigns"
    merchant_day_share: Share
    corridors: dict[str, tuple[Share, Share]]
    placed_least: Share
    channel_least: Share
    day_hours: tuple[Annotated[float, Field(ge=0)], ...]
    anonymous_ips: tuple[str, ...]
    risky_devices: tuple[str, ...]
    templates: dict[str, Template]
    motifs: dict[str, Motif]

    @property
    def laws(self) -> dict[str, Template | Motif]:
        """All kinds by label, in order."""
        found: dict[str, Template | Motif] = {**self.templates, **self.motifs}
        return dict(sorted(found.items()))
