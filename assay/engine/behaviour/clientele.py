"""Who stands behind an arrival: a customer of the merchant, or a party that goes on with its shopping trip."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.channels import arrival_row
from assay.engine.philox import below, two
from assay.engine.quantiles import interpolated

#: arrivals that are looked at for one that has no successor yet
_REACH = 16


@kernel
def grouped(order: Any, group: Any, first: Any, out: Any) -> None:
    """Rows by group, within a group as in `order`. first: length groups + 1, all 0; becomes the ends of the groups."""
    for i in range(len(order)):
        first[group[order[i]] + 1] += 1
    for g in range(1, len(first)):
        first[g] += first[g - 1]
    for i in range(len(order)):
        row = order[i]
        out[first[group[row]]] = row
        first[group[row]] += 1


@kernel
def choose_parties(
    keys: Any,
    order: Any,
    ends: Any,
    ts: Any,
    merchant: Any,
    seq: Any,
    country: Any,
    customers: Any,
    first: Any,
    member: Any,
    home: Any,
    tables: Any,
    shares: Any,
    times: Any,
    taken: Any,
    party: Any,
) -> None:
    """Fill `party` for each arrival. Times are microseconds.

    keys: of arrivals, of customers. order: rows by (country, time); ends: of countries in it. tables: places of visits, places of
    activity, exponential. shares: continued, home. times: mean gap, time-out, length of the part. taken: by place in `order`, 0; becomes
    1 where an arrival has a successor.
    """
    everywhere = len(home) - 1
    start, continued = 0, 0.0
    for i in range(len(order)):
        row = order[i]
        at = home[country[row]]
        if i == 0 or country[row] != country[order[i - 1]]:
            start = i
            near = np.float64(ends[country[row]] - i) * times[1] / times[2]
            continued = shares[0] * (1 + near) / near
        number = arrival_row(merchant[row], seq[row])
        u, v = two(keys[0], number, 0)
        before = -1
        if u < continued:
            before = predecessor(order, ts, taken, start, i, interpolated(tables[2], v) * times[0], times[1])
        if before >= 0:
            taken[before] = 1
            party[row] = party[order[before]]
            continue
        w, _ = two(keys[0], number, 1)
        slots = customers[merchant[row], country[row]]
        slot = (np.int64(merchant[row]) * len(home) + country[row]) << 32 | below(interpolated(tables[0], w), slots)
        x, y = two(keys[1], slot, 0)
        group = at if x < shares[1] else everywhere
        low, high = first[group], first[group + 1]
        party[row] = member[low + below(interpolated(tables[1], y), high - low)]


@part
def predecessor(order: Any, ts: Any, taken: Any, start: Int, i: Int, gap: Any, timeout: Any) -> Int:
    """The place before i of an arrival without a successor: the next one that lies `gap` back, else nearer, within the time-out; or -1."""
    now = ts[order[i]]
    low, high = start, i
    while low < high:
        middle = (low + high) >> 1
        if now - ts[order[middle]] >= gap:
            low = middle + 1
        else:
            high = middle
    for step in range(1, _REACH + 1):
        place = low - step
        if place < start or now - ts[order[place]] > timeout:
            break
        if not taken[place]:
            return place
    for place in range(low, min(low + _REACH, i)):
        if not taken[place] and now - ts[order[place]] <= timeout:
            return place
    return -1
