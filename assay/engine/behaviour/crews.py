"""Flows of crews: who is used, through which devices and addresses, when and how much. A kernel writes the flows of one campaign."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.philox import below, chosen, one, two
from assay.engine.quantiles import interpolated
from assay.engine.scenario import DAY_US, HOUR_US

STOLEN, VICTIM, RING = range(3)
#: rows of the array that holds flows
TS, PARTY, ACCOUNT, INSTRUMENT, DEVICE, IP, COUNTERPARTY, MINOR, EPISODE, ROLE, ROWS = range(11)
#: numbers of members, devices, addresses and amounts of one crew are below this
CREW = 64
_NIGHT_HOURS, _TRIES = 5, 24


class Lists(NamedTuple):
    """Entities. instruments, devices, ips: (first, item). prefer, everyone: (first, party, home). country: of parties. offset_us: of
    countries from UTC. risky: devices, anonymous: addresses, both perhaps empty."""

    instruments: Any
    devices: Any
    ips: Any
    account_of: Any
    payable: Any
    owner: Any
    country: Any
    offset_us: Any
    prefer: Any
    everyone: Any
    risky: Any
    anonymous: Any


class Tables(NamedTuple):
    """Laws. points and point_ends: price points that the campaign may use. hours: ends of the weights of the hours by day."""

    activity: Any
    gap: Any
    amount: Any
    points: Any
    point_ends: Any
    hours: Any


class Company(NamedTuple):
    """Numbers of crews that all kinds have. Ranges are [low, high]; times are microseconds."""

    episodes: int
    devices_low: int
    devices_high: int
    ips_low: int
    ips_high: int
    preferred: float
    home: float
    risky: float
    anonymous: float
    device_use: float
    ip_use: float
    gap_us: float
    window_us: int
    median: float
    round_share: float
    round_step: int


class Law(NamedTuple):
    """Numbers of a template beside those of its company."""

    identity: int
    members_low: int
    members_high: int
    flows_low: int
    flows_high: int
    night: float
    point_share: float
    repeated: float
    values: int
    merchants: int
    per_window: int


@kernel
def run_crews(keys: Any, windows: Any, company: Any, law: Any, lists: Any, tables: Any, out: Any, merchant: Any) -> None:
    """Fill the flows of a campaign: `out` by rows, and `merchant`, the draw of the merchant.

    keys: of crews, of episodes, of flows. windows: their starts.
    """
    i, episode, flows = 0, 0, out.shape[1]
    while i < flows:
        crew = episode // company.episodes
        which = below(one(keys[0], crew * CREW, 2), len(windows))
        window = windows[which]
        land = lists.country[a_party(lists, tables, company.preferred, -1, keys[0], crew * CREW, 0)]
        u, v = two(keys[1], episode, 0)
        end = window + company.window_us
        ts = started(tables, window, end, lists.offset_us[land], law.night, u, keys[1], episode)
        victim, paid_with = 0, 0
        for k in range(ranged(v, law.flows_low, law.flows_high)):
            if i == flows:
                break
            if k:
                ts = later(ts, end, company.gap_us * interpolated(tables.gap, one(keys[2], i, 0)))
            if law.identity == RING:
                members = ranged(one(keys[0], crew * CREW, 4), law.members_low, law.members_high)
                member = below(one(keys[2], i, 1), members)
                victim = a_party(
                    lists,
                    tables,
                    company.preferred,
                    land if home(keys[0], crew, member, company.home) else -1,
                    keys[0],
                    crew * CREW + member,
                    6,
                )
                paid_with = an_item(lists.instruments, victim, one(keys[2], i, 2))
            elif k == 0 or law.identity == STOLEN:
                at = land if one(keys[2], i, 3) < company.home else -1
                victim = a_party(lists, tables, company.preferred, at, keys[2], i, 4)
                paid_with = an_item(lists.instruments, victim, one(keys[2], i, 2))
            out[TS, i] = ts
            out[PARTY, i] = victim
            out[INSTRUMENT, i] = paid_with
            out[ACCOUNT, i] = lists.account_of[paid_with]
            connect(lists, company, keys, crew, i, victim, out)
            out[COUNTERPARTY, i] = lists.payable[a_party(lists, tables, company.preferred, land, keys[0], crew * CREW, 10)]
            out[MINOR, i] = asked(tables, company, law, keys, crew, i)
            out[EPISODE, i] = episode
            out[ROLE, i] = 0
            place = which if law.per_window else episode
            merchant[i] = one(keys[1], place * CREW + below(one(keys[2], i, 9), law.merchants), 2 + law.per_window)
            i += 1
        episode += 1


@part
def home(key: Any, crew: Int, member: Int, share: Any) -> Any:
    """Whether a member of a crew lives in the crew's country."""
    return one(key, crew * CREW + member, 5) < share


@part
def ranged(u: Any, low: Int, high: Int) -> Any:
    """An integer in [low, high]."""
    return low + below(u, high - low + 1)


@part
def a_party(lists: Any, tables: Any, preferred: Any, land: Int, key: Any, row: Int, draw: Int) -> Any:
    """A party: of the preferred roles with a share, else of all; of a country, or of any for -1."""
    u, v = two(key, row, draw)
    group = lists.everyone
    if u < preferred:
        group = lists.prefer
    at = group[2][land] if land >= 0 else len(group[2]) - 1
    first, last = group[0][at], group[0][at + 1]
    return np.int64(group[1][first + below(interpolated(tables.activity, v), last - first)])


@part
def an_item(items: Any, owner: Int, u: Any) -> Any:
    """An item of an owner that has some."""
    first = items[0][owner]
    return np.int64(items[1][first + below(u, items[0][owner + 1] - first)])


@part
def started(tables: Any, window: Int, end: Int, offset_us: Int, night: Any, u: Any, key: Any, row: Int) -> Any:
    """When an episode starts: on a day of the window, at a local hour of the night or of the day."""
    v, w = two(key, row, 1)
    hour = below(w, _NIGHT_HOURS) if u < night else chosen(w, tables.hours, 0, len(tables.hours))
    ts = window + below(v, (end - window) // DAY_US) * DAY_US + hour * HOUR_US + below(one(key, row, 4), HOUR_US) - offset_us
    if ts < window:
        ts += DAY_US
    if ts >= end - HOUR_US:
        ts -= DAY_US
    return max(np.int64(ts), np.int64(window))


@part
def later(ts: Int, end: Int, gap: Any) -> Any:
    """A time after ts and before end: a gap later, at most half of what is left."""
    return ts + max(min(np.int64(gap), (end - ts) // 2), 1)


@part
def connect(lists: Any, company: Any, keys: Any, crew: Int, i: Int, party: Int, out: Any) -> None:
    """Device and address of a flow: the crew's, or the party's own."""
    u, v = two(keys[2], i, 6)
    w, x = two(keys[2], i, 7)
    y, z = two(keys[0], crew * CREW, 12)
    if u < company.device_use:
        device = crew_device(lists, company, keys[0], crew, below(v, ranged(y, company.devices_low, company.devices_high)))
    else:
        device = an_item(lists.devices, party, v)
    out[DEVICE, i] = device
    if w < company.ip_use:
        which = below(x, ranged(z, company.ips_low, company.ips_high))
        a, b = two(keys[0], crew * CREW + which, 14)
        if a < company.anonymous and len(lists.anonymous):
            out[IP, i] = lists.anonymous[below(b, len(lists.anonymous))]
        else:
            out[IP, i] = an_item(lists.ips, crew_device(lists, company, keys[0], crew, which % company.devices_low), b)
    else:
        out[IP, i] = an_item(lists.ips, device, x)


@part
def crew_device(lists: Any, company: Any, key: Any, crew: Int, which: Int) -> Any:
    """A device of a crew: a risky one, or any that parties use."""
    u, v = two(key, crew * CREW + which, 13)
    if u < company.risky and len(lists.risky):
        return np.int64(lists.risky[below(v, len(lists.risky))])
    return np.int64(lists.devices[1][below(v, len(lists.devices[1]))])


@part
def asked(tables: Any, company: Any, law: Any, keys: Any, crew: Int, i: Int) -> Any:
    """The amount of a flow in minor units: an amount of the crew again, or another."""
    u, v = two(keys[2], i, 8)
    if u < law.repeated:
        value = below(v, law.values)
        return priced(tables, company, law.point_share, keys[0], crew * CREW + value, 16)
    return priced(tables, company, law.point_share, keys[2], i, 10)


@part
def priced(tables: Any, company: Any, point_share: Any, key: Any, row: Int, draw: Int) -> Any:
    """A price point, or a lognormal amount, perhaps rounded."""
    u, v = two(key, row, draw)
    if u < point_share and len(tables.points):
        return np.int64(tables.points[chosen(v, tables.point_ends, 0, len(tables.points))])
    minor = np.int64(company.median * interpolated(tables.amount, v))
    if one(key, row, draw + 1) < company.round_share:
        return max(minor // company.round_step, 1) * company.round_step
    return max(minor, 1)
