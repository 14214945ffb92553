"""S4: addresses. How many links each part has by country and type, then addresses for all links, then the links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.codecs.kernel import frozen
from assay.engine.entities import guards
from assay.engine.entities.addresses_kernel import LinkedDevices, count_links, draw_links, draw_networks, spread_capacity
from assay.engine.entities.counts import Table, table_of
from assay.engine.entities.documents import Addresses
from assay.engine.entities.frames import Floats, Ints, choices, codes, numbers, starts
from assay.engine.entities.outputs import COUNTRIES, DEVICE_BASE, IP_BASE, IP_DEMAND, IP_LINKS, PARTY_BASE, PARTY_SUMMARY
from assay.engine.entities.vocabulary import ADDRESS_LINK_ROLES, ADDRESS_TYPES, DEVICE_CLASSES, DEVICE_TYPES, NETWORKS, PARTY_TYPES
from assay.engine.output import worded
from assay.engine.parameters import Parameters
from assay.engine.scenario import parties_of, party_parts
from assay.engine.segment import Scene, State

KINDS = len(ADDRESS_TYPES)
GROUPS = len(COUNTRIES) * KINDS
_DEVICE_COLUMNS = ("device_id", "device_type", "primary_party_id", "home_country_iso")


@dataclass(frozen=True)
class LinkLaws:
    """Counts by device type; choices: for each party type and class the first link, then for each class the further ones."""

    table: Table
    choices: Floats
    classes: Ints


@dataclass(frozen=True)
class Places:
    """Addresses of groups (country · types + type): the first of each and the end, running capacities; links in all and before parts."""

    laws: LinkLaws
    group_starts: Ints
    ends: Ints
    totals: Ints
    before: Ints
    widths: Ints


def link_laws(parameters: Parameters) -> LinkLaws:
    """Tables of the links of a device."""
    document = parameters.of(Addresses)
    mixes = [document.first[kind][name] for kind in PARTY_TYPES for name in DEVICE_CLASSES]  # type: ignore[index]
    mixes += [document.further[name] for name in DEVICE_CLASSES]  # type: ignore[index]
    return LinkLaws(
        table_of([document.laws[name].running() for name in DEVICE_TYPES]),
        choices(mixes, ADDRESS_TYPES),
        frozen(np.array([DEVICE_CLASSES.index(document.classes[name]) for name in DEVICE_TYPES]), np.int64),
    )


def _devices(scene: Scene, part: int, laws: LinkLaws) -> tuple[pl.DataFrame, LinkedDevices]:
    """Devices of a part, as a frame and as kernels take them."""
    first, _ = parties_of(scene.parameters, part)
    devices = scene.table(DEVICE_BASE.output_id, part, list(_DEVICE_COLUMNS))
    party_type = codes(scene.table(PARTY_BASE.output_id, part, ["party_type"]), "party_type")
    types = codes(devices, "device_type")
    classes, owners = laws.classes[types], numbers(devices, "primary_party_id") - first - 1
    chosen_first = (party_type[owners].astype(np.int64) * len(DEVICE_CLASSES) + classes) * KINDS
    further = (len(PARTY_TYPES) * len(DEVICE_CLASSES) + classes) * KINDS
    before = int(devices["device_id"][0]) - 1 if len(devices) else 0
    countries = codes(devices, "home_country_iso")
    choices_of = frozen(chosen_first, np.int64), frozen(further, np.int64)
    return devices, LinkedDevices(before, types, *choices_of, countries, laws.table, laws.choices, KINDS)


def prepare_demand(scene: Scene) -> LinkLaws:
    """Tables of the laws."""
    return link_laws(scene.parameters)


def make_demand(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """Links of a part by country and address type; those without links are left out."""
    demand = np.zeros(GROUPS, np.int64)
    _, known = _devices(scene, part, scene.prepared)
    count_links(scene.shared_key("link"), known, demand)
    groups = np.flatnonzero(demand)
    made = pl.DataFrame(
        {
            "part": np.full(len(groups), part, np.int64),
            "country_iso": worded((groups // KINDS).astype(np.uint8), COUNTRIES),
            "ip_type": worded((groups % KINDS).astype(np.uint8), ADDRESS_TYPES),
            "link_count": demand[groups],
        }
    )
    return {IP_DEMAND.output_id: made}


def demand_of(scene: Scene) -> Ints:
    """Links by part (rows) and group (columns)."""
    rows = scene.table(IP_DEMAND.output_id, None, ["part", "country_iso", "ip_type", "link_count"])
    demand = np.zeros((party_parts(scene.parameters), GROUPS), np.int64)
    groups = codes(rows, "country_iso").astype(np.int64) * KINDS + codes(rows, "ip_type")
    demand[numbers(rows, "part"), groups] = numbers(rows, "link_count")
    return demand


def addresses_by_group(links: Ints, regions: Mapping[str, str], document: Addresses) -> Ints:
    """How many addresses each group has: the country's links over the mean degree, by the mix of its region; one where there are links."""
    found = np.zeros(GROUPS, np.int64)
    for country, region in regions.items():
        begin = COUNTRIES.index(country) * KINDS
        of_country = [int(count) for count in links[begin : begin + KINDS]]
        mix, total = document.mix[region], sum(document.mix[region].get(name, 0.0) for name in ADDRESS_TYPES)
        for kind, name in enumerate(ADDRESS_TYPES):
            wanted = int(sum(of_country) / document.links_per_address * (mix.get(name, 0.0) / total) + 0.5)
            found[begin + kind] = min(max(wanted, 1), of_country[kind])
    return found


def make_addresses(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """All addresses, by country and type."""
    document = scene.parameters.of(Addresses)
    links = demand_of(scene).sum(axis=0)
    cells = scene.table(PARTY_SUMMARY.output_id, 0, ["country_iso", "region_id"]).unique().sort("country_iso")
    counts = addresses_by_group(links, {str(country): str(region) for country, region in cells.iter_rows()}, document)
    group_starts = np.append(starts([*counts]), counts.sum())
    total = int(counts.sum())
    capacity, networks = np.zeros(total, np.int64), np.zeros(total, np.uint8)
    spread_capacity(scene.key("degree"), document.degree.table, frozen(group_starts, np.int64), frozen(links, np.int64), capacity)
    most = document.devices_per_address_max
    guards.at_most("devices of an address", "ip_id", capacity, most, 1, IP_BASE.output_id)
    groups = np.repeat(np.arange(GROUPS), counts)
    kinds = frozen(groups % KINDS, np.int64)
    ends = choices((document.networks[name] for name in ADDRESS_TYPES), NETWORKS)
    draw_networks(scene.key("network"), kinds, ends, len(NETWORKS), networks)
    made = pl.DataFrame(
        {
            "ip_id": np.arange(1, total + 1),
            "ip_type": worded(kinds.astype(np.uint8), ADDRESS_TYPES),
            "asn_class": worded(networks, NETWORKS),
            "country_iso": worded((groups // KINDS).astype(np.uint8), COUNTRIES),
            "link_capacity": capacity,
        }
    )
    return {IP_BASE.output_id: made}


def prepare_links(scene: Scene) -> Places:
    """Where the addresses of each group begin, and what parts before each have taken of them."""
    document = scene.parameters.of(Addresses)
    rows = scene.table(IP_BASE.output_id, 0, ["country_iso", "ip_type", "link_capacity"])
    groups = codes(rows, "country_iso").astype(np.int64) * KINDS + codes(rows, "ip_type")
    group_starts = np.searchsorted(groups, np.arange(GROUPS + 1))
    reached = np.concatenate([np.zeros(1, np.int64), np.cumsum(numbers(rows, "link_capacity"))])
    demand = demand_of(scene)
    return Places(
        link_laws(scene.parameters),
        frozen(group_starts, np.int64),
        frozen(reached[1:] - reached[group_starts[groups]], np.int64),
        frozen(demand.sum(axis=0), np.int64),
        np.cumsum(demand, axis=0) - demand,
        frozen(np.array([document.locality_bits[name] for name in ADDRESS_TYPES]), np.int64),
    )


def make_links(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The links of a part's devices, in the order of devices."""
    places: Places = scene.prepared
    document = scene.parameters.of(Addresses)
    devices, known = _devices(scene, part, places.laws)
    following = places.before[part + 1] if part + 1 < len(places.before) else places.totals
    taken = places.before[part].copy()
    room = int((following - places.before[part]).sum())
    addresses, rows, roles = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint8)
    filled = draw_links(
        (scene.shared_key("link"), scene.key("dealing")),
        known,
        places.widths,
        taken,
        places.totals,
        places.group_starts,
        places.ends,
        addresses,
        rows,
        roles,
    )
    guards.links_counted(taken, following, IP_LINKS.output_id)
    rows = rows[:filled]
    counts = np.bincount(rows, minlength=len(devices))
    begin = int(devices["device_id"][0]) if len(devices) else 1
    guards.each_has_one("device without address", "device_id", counts, begin, IP_LINKS.output_id)
    guards.at_most("addresses of a device", "device_id", counts, document.addresses_per_device_max, begin, IP_LINKS.output_id)
    made = pl.DataFrame(
        {
            "ip_id": addresses[:filled],
            "device_id": numbers(devices, "device_id")[rows],
            "party_id": numbers(devices, "primary_party_id")[rows],
            "link_role": worded(roles[:filled], ADDRESS_LINK_ROLES),
        }
    )
    return {IP_LINKS.output_id: made}


S4_DEMAND = State("S4_ip_demand", (DEVICE_BASE.output_id, PARTY_BASE.output_id), (IP_DEMAND,), make_demand, party_parts, prepare_demand)
S4_IPS = State("S4_ips", (IP_DEMAND.output_id, PARTY_SUMMARY.output_id), (IP_BASE,), make_addresses)
S4_LINKS = State(
    "S4_ip_links",
    (DEVICE_BASE.output_id, PARTY_BASE.output_id, IP_DEMAND.output_id, IP_BASE.output_id),
    (IP_LINKS,),
    make_links,
    party_parts,
    prepare_links,
)
