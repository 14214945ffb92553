"""Flows of crews: who is used, when, and through which merchant. A kernel writes the flows of one campaign."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.philox import below, chosen, one, two
from assay.engine.quantiles import interpolated
from assay.engine.scenario import DAY_US, HOUR_US

STOLEN, VICTIM, RING = range(3)
#: rows of the array that holds flows
TS, PARTY, ACCOUNT, INSTRUMENT, DEVICE, IP, COUNTERPARTY, MINOR, EPISODE, ROLE, CREW, ROWS = range(12)
#: numbers of members, devices, addresses and amounts of one crew are below this
PLACES = 64
_NIGHT_HOURS = 5


class Who(NamedTuple):
    """Numbers of a template's people and times. Ranges are [low, high]; times are microseconds."""

    identity: int
    episodes: int
    members_low: int
    members_high: int
    flows_low: int
    flows_high: int
    preferred: float
    home: float
    night: float
    merchants: int
    per_window: int
    gap_us: float
    window_us: int


@kernel
def run_crews(
    keys: Any,
    windows: Any,
    who: Any,
    first: Any,
    member: Any,
    group: Any,
    activity: Any,
    instrument_first: Any,
    instrument: Any,
    country: Any,
    offset_us: Any,
    hours: Any,
    gap: Any,
    flows: Int,
    out: Any,
    merchant: Any,
) -> Int:
    """Run whole episodes until there are at least `flows` flows, and give their number.

    Fills time, party, instrument, episode and crew of each flow, the party that is paid as COUNTERPARTY, and the draw of the merchant.

    keys: of crews, of episodes, of flows. windows: their starts. first, member, group: see `a_party`. hours: ends of weights by day.
    """
    i, episode = 0, 0
    while i < flows:
        crew = episode // who.episodes
        window = below(one(keys[0], crew * PLACES, 2), len(windows))
        end = windows[window] + who.window_us
        land = country[a_party(first, member, group, activity, who.preferred, -1, keys[0], crew * PLACES, 0)]
        u, v = two(keys[1], episode, 0)
        ts = started(hours, windows[window], end, offset_us[land], who.night, u, keys[1], episode)
        victim, paid_with = np.int64(0), np.int64(0)
        for k in range(ranged(v, who.flows_low, who.flows_high)):
            key, row, draw, again = keys[2], i, 4, who.identity == STOLEN
            if k:
                ts = later(ts, end, who.gap_us * interpolated(gap, one(keys[2], i, 0)))
            if who.identity == RING:
                among = ranged(one(keys[0], crew * PLACES, 4), who.members_low, who.members_high)
                key, row, draw, again = keys[0], crew * PLACES + below(one(keys[2], i, 1), among), 6, True
            if k == 0 or again:
                at = land if one(key, row, draw + 1) < who.home else -1
                victim = a_party(first, member, group, activity, who.preferred, at, key, row, draw)
                low = instrument_first[victim]
                paid_with = np.int64(instrument[low + below(one(keys[2], i, 2), instrument_first[victim + 1] - low)])
            out[TS, i] = ts
            out[PARTY, i] = victim
            out[INSTRUMENT, i] = paid_with
            out[COUNTERPARTY, i] = a_party(first, member, group, activity, who.preferred, land, keys[0], crew * PLACES, 10)
            out[EPISODE, i] = episode
            out[CREW, i] = crew
            place = window if who.per_window else episode
            merchant[i] = one(keys[1], place * PLACES + below(one(keys[2], i, 9), who.merchants), 2 + who.per_window)
            i += 1
        episode += 1
    return i


@part
def ranged(u: Any, low: Int, high: Int) -> Any:
    """An integer in [low, high]."""
    return low + below(u, high - low + 1)


@part
def a_party(first: Any, member: Any, group: Any, activity: Any, preferred: Any, land: Int, key: Any, row: Int, draw: Int) -> Any:
    """A party: of the preferred ones with a share, else of all; of a country, or of any for -1.

    group: by country and for all countries the group of all parties, then those of the preferred ones. first, member: by group.
    """
    u, v = two(key, row, draw)
    known = len(group) // 2
    at = group[(known if u < preferred else 0) + (land if land >= 0 else known - 1)]
    return np.int64(member[first[at] + below(interpolated(activity, v), first[at + 1] - first[at])])


@part
def started(hours: Any, window: Int, end: Int, offset_us: Int, night: Any, u: Any, key: Any, row: Int) -> Any:
    """When an episode starts: on a day of the window, at a local hour of the night or of the day."""
    v, w = two(key, row, 1)
    hour = below(w, _NIGHT_HOURS) if u < night else chosen(w, hours, 0, len(hours))
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
