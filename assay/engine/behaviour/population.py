"""The entities of segment 6A as arrays that kernels index: ids are dense numbers from 1, so a lookup is an index.

A list of items per owner is two arrays: items in order of their owners, and for each owner the place of its first item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.behaviour.channels import CHANNELS, shared
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse_no_party, refuse_unowned
from assay.engine.philox import bits
from assay.engine.segment import Scene

Ints: TypeAlias = NDArray[np.int32]
Bits: TypeAlias = NDArray[np.uint8]
PARTY, ACCOUNT, INSTRUMENT = "s1_party_base_6A", "s2_account_base_6A", "s3_instrument_base_6A"
DEVICE, IP, DEVICE_LINKS, IP_LINKS = "s4_device_base_6A", "s4_ip_base_6A", "s4_device_links_6A", "s4_ip_links_6A"
#: what `population` reads
INPUTS = (PARTY, ACCOUNT, INSTRUMENT, DEVICE, IP, DEVICE_LINKS, IP_LINKS)


@dataclass(frozen=True)
class Items:
    """Items of owners: those of owner o are item[first[o]] … item[first[o + 1] - 1]. usual: bit c is set where it is usual at channel c."""

    first: Ints
    item: Ints
    usual: Bits


@dataclass(frozen=True)
class Members:
    """Parties by country in order of their activity. Group `len(countries)` holds all; home[c] is c, or that group where c is empty."""

    first: Ints
    party: Ints
    home: Ints


@dataclass(frozen=True)
class Population:
    """Entities by id. country and business are of parties, account of instruments, payable the current account of parties or 0."""

    countries: tuple[str, ...]
    country: Ints
    business: Bits
    instruments: Items
    account: Ints
    owner: Ints
    devices: Items
    ips: Items
    payable: Ints
    everyone: Members
    businesses: Members


def population(scene: Scene) -> Population:
    """Index the entities. Raises Stop(ENGINE_GUARD_TRIPPED): an instrument without an owner, or no party that can pay."""
    behaviour = scene.parameters.of(Behaviour)
    parties = scene.table(PARTY, columns=["party_id", "party_type", "country_iso"])
    count = len(parties)
    countries = tuple(sorted(parties["country_iso"].cast(pl.String).unique()))
    country = codes(parties["country_iso"], countries)
    business = np.concatenate([[0], parties["party_type"].cast(pl.String).eq("BUSINESS").to_numpy()])
    instruments, account = _instruments(scene, behaviour, count)
    devices, ips = _devices(scene, behaviour, count)
    owner, payable = _accounts(scene, behaviour, count)
    equipped = np.flatnonzero((np.diff(instruments.first)[1:] > 0) & (np.diff(devices.first)[1:] > 0)) + 1
    refuse_no_party(len(equipped))
    key = shared(scene, "activity")
    everyone = members_of(key, equipped, country, len(countries))
    traders = np.flatnonzero((business == 1) & (payable > 0))
    return Population(
        countries,
        _held(country, first=0),
        frozen(business, np.uint8),
        instruments,
        account,
        owner,
        devices,
        ips,
        payable,
        everyone,
        members_of(key, traders if len(traders) else equipped, country, len(countries)),
    )


def codes(values: pl.Series, names: Sequence[str]) -> NDArray[np.int64]:
    """The places of values in `names`, -1 where a value is none of them."""
    places = {name: place for place, name in enumerate(names)}
    if isinstance(values.dtype, pl.Enum):
        words = values.dtype.categories.to_list()
        of_word = np.array([places.get(word, -1) for word in words] or [-1], np.int64)
        coded: NDArray[np.int64] = of_word[values.to_physical().to_numpy()]
        return coded
    found: NDArray[np.int64] = values.cast(pl.String).replace_strict(places, default=-1, return_dtype=pl.Int64).to_numpy()
    return found


def _instruments(scene: Scene, behaviour: Behaviour, parties: int) -> tuple[Items, Ints]:
    rows = scene.table(INSTRUMENT, columns=["instrument_id", "account_id", "owner_party_id", "instrument_type"])
    owner = rows["owner_party_id"].to_numpy()
    refuse_unowned(INSTRUMENT, owner, parties)
    masks = _masks({channel: usual.instruments for channel, usual in behaviour.usual.items()}, rows["instrument_type"])
    return _items(owner, rows["instrument_id"].to_numpy(), masks, parties), _held(rows["account_id"].to_numpy(), first=0)


def _devices(scene: Scene, behaviour: Behaviour, parties: int) -> tuple[Items, Items]:
    kinds = scene.table(DEVICE, columns=["device_id", "device_type"])["device_type"]
    devices = np.concatenate([[0], _masks({channel: usual.devices for channel, usual in behaviour.usual.items()}, kinds)])
    types = scene.table(IP, columns=["ip_id", "ip_type"])["ip_type"]
    ips = np.concatenate([[0], _masks({channel: usual.ips for channel, usual in behaviour.usual.items()}, types)])
    links = scene.table(IP_LINKS, columns=["ip_id", "device_id"])
    ip_of, device_of = links["ip_id"].to_numpy(), links["device_id"].to_numpy()
    reached = _items(device_of, ip_of, ips[ip_of], len(kinds))
    used = scene.table(DEVICE_LINKS, columns=["device_id", "party_id"]).drop_nulls().unique(maintain_order=True)
    used = used.filter(pl.Series(np.diff(reached.first)[used["device_id"].to_numpy()] > 0))
    device, party = used["device_id"].to_numpy(), used["party_id"].to_numpy()
    return _items(party, device, devices[device], parties), reached


def _accounts(scene: Scene, behaviour: Behaviour, parties: int) -> tuple[Ints, Ints]:
    rows = scene.table(ACCOUNT, columns=["account_id", "owner_party_id", "account_type"])
    owner = rows["owner_party_id"].to_numpy()
    refuse_unowned(ACCOUNT, owner, parties)
    current = rows.filter(pl.col("account_type").cast(pl.String).is_in(list(behaviour.transfers.payable)))
    current = current.unique("owner_party_id", keep="first", maintain_order=True)
    payable = np.zeros(parties + 1, np.int32)
    payable[current["owner_party_id"].to_numpy()] = current["account_id"].to_numpy()
    return _held(owner, first=0), frozen(payable, np.int32)


def _masks(usual: Mapping[Any, tuple[str, ...]], kinds: pl.Series) -> NDArray[np.uint8]:
    names = sorted({name for types in usual.values() for name in types})
    bit = {name: sum(1 << CHANNELS.index(channel) for channel, types in usual.items() if name in types) for name in names}
    return np.array([*(bit[name] for name in names), 0], np.uint8)[codes(kinds, names)]


def _items(owner: NDArray[Any], item: NDArray[Any], usual: NDArray[Any], owners: int) -> Items:
    if len(owner) and np.any(owner[1:] < owner[:-1]):
        order = np.argsort(owner, kind="stable")
        owner, item, usual = owner[order], item[order], usual[order]
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=owners + 1))])
    return Items(frozen(first, np.int32), frozen(item, np.int32), frozen(usual, np.uint8))


def members_of(key: np.uint64, parties: NDArray[np.int64], country: NDArray[np.int64], countries: int) -> Members:
    """Parties of each country in a keyed order, which is the order of their activity; all together in the order of their places in it."""
    chance = np.zeros(len(parties), np.uint64)
    _chances(key, parties, chance)
    home = country[parties - 1]
    order = np.lexsort((chance, home))
    counts = np.bincount(home, minlength=countries)
    first = np.concatenate([[0], np.cumsum(counts), [2 * len(parties)]])
    local = parties[order]
    place = (np.arange(len(parties)) - np.repeat(first[:countries], counts)) / np.repeat(np.maximum(counts, 1), counts)
    groups = np.where(counts > 0, np.arange(countries), countries)
    party = np.concatenate([local, local[np.argsort(place, kind="stable")]])
    return Members(frozen(first, np.int32), frozen(party, np.int32), frozen(np.append(groups, countries), np.int32))


@kernel
def _chances(key: Any, parties: Any, out: Any) -> None:
    for i in range(len(parties)):
        out[i] = bits(key, parties[i], 0)[0]


def _held(values: NDArray[Any], *, first: int) -> Ints:
    """Values by id from 1, `first` in the unused place 0."""
    return frozen(np.concatenate([[first], values]), np.int32)
