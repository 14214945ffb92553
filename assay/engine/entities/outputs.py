"""The tables of segment 6A. Ids are dense and start at 1; all ids of a party stand together, in the order of parties."""

from __future__ import annotations

from collections.abc import Sequence

from assay.engine.entities import vocabulary as words
from assay.engine.output import Column, Output, Role
from assay.engine.places.documents import country_words

COUNTRIES = country_words()
_PARTY = (
    Column("party_type", "text", words=words.PARTY_TYPES),
    Column("segment_id", "text", words=words.SEGMENTS),
    Column("region_id", "text", words=words.REGIONS),
    Column("country_iso", "text", words=COUNTRIES),
)
_ACCOUNT_TYPE = Column("account_type", "text", words=words.ACCOUNT_TYPES)
_INSTRUMENT_TYPE = Column("instrument_type", "text", words=words.INSTRUMENT_TYPES)
_SCHEME = Column("scheme", "text", words=words.SCHEMES)
_TIER = Column("risk_tier", "text", words=words.TIERS)


def _of_6a(output_id: str, columns: Sequence[Column], keys: Sequence[str], role: Role = "behavioural_context") -> Output:
    return Output(output_id, "6A", 3, tuple(columns), tuple(keys), role)


PARTY_BASE = _of_6a("s1_party_base_6A", [Column("party_id", "id"), *_PARTY], ["party_id"])
PARTY_SUMMARY = _of_6a(
    "s1_party_summary_6A",
    [*_PARTY, Column("party_count", "int")],
    ["country_iso", "party_type", "segment_id"],
)
ACCOUNT_BASE = _of_6a(
    "s2_account_base_6A", [Column("account_id", "id"), Column("owner_party_id", "id"), _ACCOUNT_TYPE, *_PARTY], ["account_id"]
)
HOLDINGS = _of_6a(
    "s2_party_product_holdings_6A",
    [Column("owner_party_id", "id"), _ACCOUNT_TYPE, Column("account_count", "int")],
    ["owner_party_id", "account_type"],
)
INSTRUMENT_BASE = _of_6a(
    "s3_instrument_base_6A",
    [Column("instrument_id", "id"), Column("account_id", "id"), Column("owner_party_id", "id"), _INSTRUMENT_TYPE, _SCHEME],
    ["instrument_id"],
)
INSTRUMENT_LINKS = _of_6a(
    "s3_account_instrument_links_6A",
    [Column("account_id", "id"), Column("instrument_id", "id"), _INSTRUMENT_TYPE, _SCHEME],
    ["account_id", "instrument_id"],
)
DEVICE_BASE = _of_6a(
    "s4_device_base_6A",
    [
        Column("device_id", "id"),
        Column("device_type", "text", words=words.DEVICE_TYPES),
        Column("os_family", "text", words=words.SYSTEMS),
        Column("primary_party_id", "id"),
        Column("home_region_id", "text", words=words.REGIONS),
        Column("home_country_iso", "text", words=COUNTRIES),
    ],
    ["device_id"],
)
DEVICE_LINKS = _of_6a(
    "s4_device_links_6A",
    [
        Column("device_id", "id"),
        Column("party_id", "id"),
        Column("account_id", "id", nullable=True),
        Column("instrument_id", "id", nullable=True),
        Column("link_role", "text", words=words.DEVICE_LINK_ROLES),
    ],
    ["device_id", "party_id"],
)
IP_DEMAND = _of_6a(
    "s4_ip_demand_6A",
    [
        Column("part", "int"),
        Column("country_iso", "text", words=COUNTRIES),
        Column("ip_type", "text", words=words.ADDRESS_TYPES),
        Column("link_count", "int"),
    ],
    ["part", "country_iso", "ip_type"],
    "audit_evidence",
)
IP_BASE = _of_6a(
    "s4_ip_base_6A",
    [
        Column("ip_id", "id"),
        Column("ip_type", "text", words=words.ADDRESS_TYPES),
        Column("asn_class", "text", words=words.NETWORKS),
        Column("country_iso", "text", words=COUNTRIES),
        Column("link_capacity", "int"),
    ],
    ["ip_id"],
)
IP_LINKS = _of_6a(
    "s4_ip_links_6A",
    [
        Column("ip_id", "id"),
        Column("device_id", "id"),
        Column("party_id", "id"),
        Column("link_role", "text", words=words.ADDRESS_LINK_ROLES),
    ],
    ["ip_id", "device_id"],
)


def _roles(entity: str, kind: str, roles: tuple[str, ...]) -> Output:
    columns = [Column(f"{entity}_id", "id64" if kind == "id64" else "id"), Column(f"fraud_role_{entity}", "text", words=roles), _TIER]
    return _of_6a(f"s5_{entity}_fraud_roles_6A", columns, [f"{entity}_id"], "truth_products")


PARTY_ROLES = _roles("party", "id", words.PARTY_ROLES)
ACCOUNT_ROLES = _roles("account", "id", words.ACCOUNT_ROLES)
MERCHANT_ROLES = _roles("merchant", "id64", words.MERCHANT_ROLES)
DEVICE_ROLES = _roles("device", "id", words.DEVICE_ROLES)
IP_ROLES = _roles("ip", "id", words.ADDRESS_ROLES)
