"""The parameter documents of segment 6A; the YAML files say units and sources."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from assay.engine.entities.counts import CountLaw
from assay.engine.entities.vocabulary import ACCOUNT_TYPES, ADDRESS_TYPES, DEVICE_TYPES, INSTRUMENT_TYPES, REGIONS, SEGMENTS, party_type_of
from assay.engine.laws import Block, DecimalText, Lognormal, Share, Weight, some_weight
from assay.engine.parameters import Document

PartyType = Literal["RETAIL", "BUSINESS", "OTHER"]
DeviceClass = Literal["personal", "portable", "fixed", "server", "terminal"]
Count = Annotated[int, Field(ge=0)]
Weights = Annotated[dict[str, Weight], AfterValidator(some_weight)]
Corridor = tuple[float, float]


def complete(given: object, words: tuple[str, ...]) -> None:
    """Every word has a row, and no other has. Raises ValueError."""
    assert isinstance(given, dict)
    wrong = sorted({*given} ^ {*words})
    if wrong:
        raise ValueError(f"{wrong[0]} is missing or unknown")


class CountryWeight(Block):
    """(outlets + offset)^exponent · (arrivals + offset)^exponent."""

    outlet_offset: Count
    outlet_exponent: DecimalText
    arrival_offset: Count
    arrival_exponent: DecimalText
    max_share: DecimalText


class Parties(Document):
    """S1."""

    document = "parties"
    country_weight: CountryWeight
    least_per_million: Count
    party_types: dict[PartyType, DecimalText]
    segments: dict[str, dict[PartyType, Weights]]
    profiles: dict[str, dict[str, Share]]
    corridors: dict[PartyType, Corridor]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        complete(self.segments, REGIONS)
        complete(self.profiles, SEGMENTS)
        for mixes in self.segments.values():
            for kind, mix in mixes.items():
                if any(not segment.startswith(f"{kind}_") or segment not in SEGMENTS for segment in mix):
                    raise ValueError(f"{kind} has a segment that is unknown or of another party type")
        return self


class Accounts(Document):
    """S2."""

    document = "accounts"
    laws: dict[PartyType, dict[str, CountLaw]]
    factors: dict[str, dict[str, DecimalText]]
    accounts_per_party: Corridor

    @model_validator(mode="after")
    def _whole(self) -> Self:
        complete({name: law for laws in self.laws.values() for name, law in laws.items()}, ACCOUNT_TYPES)
        if any(not name.startswith(f"{kind}_") for kind, laws in self.laws.items() for name in laws):
            raise ValueError("an account type stands under another party type than its own")
        for segment, factors in self.factors.items():
            if segment not in SEGMENTS or any(party_type_of(name) != party_type_of(segment) for name in factors):
                raise ValueError(f"factors of {segment} name an unknown segment or accounts of another party type")
        return self

    def law(self, account_type: str) -> CountLaw:
        """The law of an account type."""
        return next(laws[account_type] for laws in self.laws.values() if account_type in laws)


class FirstAndFurther(Block):
    """Weights of the first of several, and of each further one."""

    first: Weights
    further: Weights


class Instruments(Document):
    """S3."""

    document = "instruments"
    laws: dict[str, CountLaw]
    types: dict[str, FirstAndFurther]
    schemes: dict[str, Weights]
    domestic_schemes: dict[str, Weights]
    instruments_per_account: Corridor
    instruments_per_account_max: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        complete(self.laws, ACCOUNT_TYPES)
        complete(self.types, ACCOUNT_TYPES)
        complete(self.domestic_schemes, REGIONS)
        used = {name for types in self.types.values() for mix in (types.first, types.further) for name in mix}
        if used - {*self.schemes} or used - {*INSTRUMENT_TYPES}:
            raise ValueError(f"{min(used - {*self.schemes} or used)} has no schemes or is unknown")
        return self


class Devices(Document):
    """S4: devices."""

    document = "devices"
    laws: dict[PartyType, CountLaw]
    factors: dict[str, DecimalText]
    types: dict[PartyType, FirstAndFurther]
    systems: dict[str, Weights]
    sharing: dict[str, Share]
    parties_per_device_max: Annotated[int, Field(ge=2)]
    shared_per_party_max: Count
    households: Annotated[list[Weight], Field(min_length=1)]
    banking: dict[str, Share]
    wallets: list[str]
    devices_per_party: Corridor
    devices_per_party_max: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for given in (self.systems, self.sharing, self.banking):
            complete(given, DEVICE_TYPES)
        if len(self.households) > self.parties_per_device_max:
            raise ValueError("a household has more parties than a device may have users")
        return self


class Addresses(Document):
    """S4: addresses."""

    document = "addresses"
    laws: dict[str, CountLaw]
    classes: dict[str, DeviceClass]
    first: dict[PartyType, dict[DeviceClass, Weights]]
    further: dict[DeviceClass, Weights]
    mix: dict[str, Weights]
    links_per_address: Annotated[float, Field(ge=1)]
    degree: Lognormal
    locality_bits: dict[str, Annotated[int, Field(ge=0, le=20)]]
    networks: dict[str, Weights]
    devices_per_address_max: Annotated[int, Field(ge=1)]
    devices_per_address_p99_max: Annotated[int, Field(ge=1)]
    addresses_per_device_max: Annotated[int, Field(ge=1)]
    residential_share: Corridor

    @model_validator(mode="after")
    def _whole(self) -> Self:
        complete(self.laws, DEVICE_TYPES)
        complete(self.classes, DEVICE_TYPES)
        complete(self.mix, REGIONS)
        complete(self.locality_bits, ADDRESS_TYPES)
        complete(self.networks, ADDRESS_TYPES)
        return self
