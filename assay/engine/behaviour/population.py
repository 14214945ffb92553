"""The entities of segment 6A as arrays that kernels index: ids are dense numbers from 1, so a lookup is an index.

A list of items per owner is two arrays: items in order of their owners, and for each owner the place of its first item. Inputs are read
part by part into narrow arrays: this is what grows with the number of parties, and all parts of a state share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.codecs.kernel import frozen, kernel
from assay.engine.behaviour.channels import CHANNELS, shared
from assay.engine.behaviour.document import Behaviour
from assay.engine.behaviour.guards import refuse, refuse_no_party, refuse_unowned
from assay.engine.entities.frames import by_part
from assay.engine.philox import bits
from assay.engine.segment import Scene

Ints: TypeAlias = NDArray[np.int32]
Bits: TypeAlias = NDArray[np.uint8]
PARTY, ACCOUNT, INSTRUMENT = "s1_party_base_6A", "s2_account_base_6A", "s3_instrument_base_6A"
DEVICE, IP, DEVICE_LINKS, IP_LINKS = "s4_device_base_6A", "s4_ip_base_6A", "s4_device_links_6A", "s4_ip_links_6A"
_TYPE = "instrument_type"
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
class Payers:
    """Parties by id. country and business: theirs; payable: the current account or 0."""

    countries: tuple[str, ...]
    country: Ints
    business: Bits
    payable: Ints
    everyone: Members
    businesses: Members


@dataclass(frozen=True)
class Population(Payers):
    """Entities by id: account of instruments, owner of accounts, instruments and devices of parties, addresses of devices."""

    instruments: Items
    account: Ints
    owner: Ints
    devices: Items
    ips: Items


def payers(scene: Scene) -> Payers:
    """What a state needs that makes amounts and payees. Raises as `population` does."""
    found = population(scene)
    return Payers(found.countries, found.country, found.business, found.payable, found.everyone, found.businesses)


def population(scene: Scene) -> Population:
    """Index the entities. Raises Stop(ENGINE_GUARD_TRIPPED): an instrument without an owner, or no party that can pay."""
    behaviour = scene.parameters.of(Behaviour)
    parties = pl.concat(by_part(scene, PARTY, ["party_type", "country_iso"]))
    count = len(parties)
    countries = tuple(sorted(parties["country_iso"].unique().cast(pl.String)))
    country = _held(codes(parties["country_iso"], countries), first=0)
    business = np.concatenate([[0], (parties["party_type"].cast(pl.String) == "BUSINESS").to_numpy()])
    instruments, account = _instruments(scene, behaviour, count)
    devices, ips = _devices(scene, behaviour, count)
    owner, payable = _accounts(scene, behaviour, count)
    equipped = np.flatnonzero((np.diff(instruments.first)[1:] > 0) & (np.diff(devices.first)[1:] > 0)) + 1
    refuse_no_party(len(equipped))
    key = shared(scene, "activity")
    everyone = members_of(key, equipped, country[1:], len(countries))
    traders = np.flatnonzero((business == 1) & (payable > 0))
    businesses = members_of(key, traders if len(traders) else equipped, country[1:], len(countries))
    of_parties = countries, country, frozen(business, np.uint8), payable, everyone, businesses
    return Population(*of_parties, instruments, account, owner, devices, ips)


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
    usual = {channel: usual.instruments for channel, usual in behaviour.usual.items()}

    def columns(rows: pl.DataFrame) -> tuple[NDArray[Any], ...]:
        owner = rows["owner_party_id"].to_numpy()
        refuse_unowned(INSTRUMENT, owner, parties)
        return _narrow(owner), _narrow(rows["instrument_id"].to_numpy()), _narrow(rows["account_id"].to_numpy()), _masks(usual, rows[_TYPE])

    names = ["instrument_id", "account_id", "owner_party_id", _TYPE]
    owner, item, account, masks = _gathered(scene, INSTRUMENT, names, columns)
    return _items(owner, item, _held(masks, first=0, dtype=np.uint8), parties), _held(account, first=0)


def _devices(scene: Scene, behaviour: Behaviour, parties: int) -> tuple[Items, Items]:
    of_device = {channel: usual.devices for channel, usual in behaviour.usual.items()}
    (kinds,) = _gathered(scene, DEVICE, ["device_type"], lambda rows: (_masks(of_device, rows["device_type"]),))
    devices = _held(kinds, first=0, dtype=np.uint8)
    types = scene.table(IP, columns=["ip_type"])["ip_type"]
    ips = _held(_masks({channel: usual.ips for channel, usual in behaviour.usual.items()}, types), first=0, dtype=np.uint8)
    names = ["device_id", "ip_id"]
    device, ip = _gathered(scene, IP_LINKS, names, lambda rows: tuple(_narrow(rows[name].to_numpy()) for name in names))
    reached = _items(device, ip, ips, len(kinds))
    has_address = np.diff(reached.first) > 0
    top = [0]

    def users(rows: pl.DataFrame) -> tuple[NDArray[Any], ...]:
        used = rows.drop_nulls().unique(maintain_order=True)
        device = used["device_id"].to_numpy()
        refuse("links of a device lie in one part", DEVICE_LINKS, device <= top[0], "links of a device of an earlier part", device)
        top[0] = int(device.max(initial=top[0]))
        known = has_address[device]
        return _narrow(used["party_id"].to_numpy()[known]), _narrow(device[known])

    party, device = _gathered(scene, DEVICE_LINKS, ["device_id", "party_id"], users)
    return _items(party, device, devices, parties), reached


def _accounts(scene: Scene, behaviour: Behaviour, parties: int) -> tuple[Ints, Ints]:
    payable = np.zeros(parties + 1, np.int32)

    def owners(rows: pl.DataFrame) -> tuple[NDArray[Any], ...]:
        owner = rows["owner_party_id"].to_numpy()
        refuse_unowned(ACCOUNT, owner, parties)
        current = rows.filter(pl.col("account_type").cast(pl.String).is_in(list(behaviour.transfers.payable)))
        current = current.unique("owner_party_id", keep="first", maintain_order=True)
        current = current.filter(pl.Series(payable[current["owner_party_id"].to_numpy()] == 0))
        payable[current["owner_party_id"].to_numpy()] = current["account_id"].to_numpy()
        return (_narrow(owner),)

    (owner,) = _gathered(scene, ACCOUNT, ["account_id", "owner_party_id", "account_type"], owners)
    return _held(owner, first=0), frozen(payable, np.int32)


def _gathered(
    scene: Scene, output_id: str, columns: Sequence[str], made: Callable[[pl.DataFrame], tuple[NDArray[Any], ...]]
) -> list[NDArray[Any]]:
    """The arrays that `made` gives of each part of an input, one part after the other."""
    parts = [made(rows) for rows in by_part(scene, output_id, columns)]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _narrow(ids: NDArray[Any]) -> Ints:
    return ids.astype(np.int32)


def _masks(usual: Mapping[Any, tuple[str, ...]], kinds: pl.Series) -> NDArray[np.uint8]:
    names = sorted({name for types in usual.values() for name in types})
    bit = {name: sum(1 << CHANNELS.index(channel) for channel, types in usual.items() if name in types) for name in names}
    return np.array([*(bit[name] for name in names), 0], np.uint8)[codes(kinds, names)]


def _items(owner: Ints, item: Ints, usual: Bits, owners: int) -> Items:
    """Items by owner, of one owner in their order. usual: by item."""
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=owners + 1))])
    placed, bits_of = np.empty(len(item), np.int32), np.empty(len(item), np.uint8)
    _place(frozen(owner, np.int32), frozen(item, np.int32), usual, first[:-1].copy(), placed, bits_of)
    return Items(frozen(first, np.int32), frozen(placed, np.int32), frozen(bits_of, np.uint8))


@kernel
def _place(owner: Any, item: Any, usual: Any, following: Any, placed: Any, bits_of: Any) -> None:
    """following: the place of each owner's first item; counts up."""
    for i in range(len(owner)):
        at = following[owner[i]]
        following[owner[i]] = at + 1
        placed[at], bits_of[at] = item[i], usual[item[i]]


def members_of(key: np.uint64, parties: NDArray[np.int64], country: NDArray[np.integer[Any]], countries: int) -> Members:
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


def _held(values: NDArray[Any], *, first: int, dtype: Any = np.int32) -> NDArray[Any]:
    """Values by id from 1, `first` in the unused place 0."""
    held = np.empty(len(values) + 1, dtype)
    held[0], held[1:] = first, values
    return frozen(held, dtype)
