"""Kernels of S4, addresses: links are counted by country and type, then dealt to addresses of known capacity, so that caps hold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.kernel import Int, kernel, part
from assay.engine.entities.counts import drawn_count
from assay.engine.philox import bits, chosen, one, two
from assay.engine.quantiles import interpolated


class LinkedDevices(NamedTuple):
    """Devices as kernels take them, with the laws of their links.

    `before`: devices before these. `first`, `further`: the choices of each in `ends`, of its first link and of the others; a choice has
    `types` running sums. `table`: a law of counts for each device type. All arrays are read-only.
    """

    before: int
    device_type: NDArray[np.uint8]
    first: NDArray[np.int64]
    further: NDArray[np.int64]
    country: NDArray[np.uint8]
    table: NDArray[np.float64]
    ends: NDArray[np.float64]
    types: int


@part
def link_type(key: Any, known: Any, row: Int, turn: Int, u_first: Any) -> Any:
    """The address type of a link of a device."""
    if turn == 0:
        return chosen(u_first, known.ends, known.first[row], known.first[row] + known.types) - known.first[row]
    choice = known.further[row]
    return chosen(one(key, known.before + row, turn), known.ends, choice, choice + known.types) - choice


@kernel
def count_links(key: Any, known: LinkedDevices, demand: Any) -> int:
    """Adds the links of devices to `demand` by country · types + type. Returns how many there are."""
    total = 0
    for row in range(len(known.device_type)):
        u_count, u_first = two(key, known.before + row, 0)
        count = drawn_count(u_count, known.table, known.device_type[row])
        for turn in range(count):
            demand[np.int64(known.country[row]) * known.types + link_type(key, known, row, turn, u_first)] += 1
        total += count
    return total


@kernel
def spread_capacity(key: Any, factors: Any, group_starts: Any, links: Any, capacity: Any) -> None:
    """Links that each address of a group takes: their sum is the group's links, and they are as factors of a table of quantiles.

    `group_starts`: the first address of each group, and the end.
    """
    for group in range(len(links)):
        begin, end = group_starts[group], group_starts[group + 1]
        total = 0.0
        for address in range(begin, end):
            total += interpolated(factors, one(key, address, 0))
        reached, before = 0.0, np.int64(0)
        for address in range(begin, end):
            reached += interpolated(factors, one(key, address, 0))
            now = np.int64(links[group] * (reached / total))
            capacity[address] = now - before
            before = now


@part
def dealt(key: Any, group: Int, link: Int, width: Any, total: Int) -> Any:
    """Where a link of a group comes to stand: a permutation within blocks of 2^width links, drawn by key, group and block.

    Each round (multiply by an odd number, add, fold) permutes numbers of so many bits; numbers beyond the block go round again.
    """
    start = (link >> width) << width
    here = min(np.int64(1) << width, total - start)
    while width > 0 and (np.int64(1) << (width - 1)) >= here:
        width -= 1
    if width == 0:
        return link
    a, b = bits(key, group, start)
    one_bit, fold = np.uint64(1), np.uint64((width + 1) >> 1)
    mask = (one_bit << np.uint64(width)) - one_bit
    place = np.uint64(link - start)
    while True:
        place = (place * (a | one_bit) + b) & mask
        place ^= place >> fold
        place = (place * (b | one_bit) + a) & mask
        place ^= place >> fold
        if place < np.uint64(here):
            return start + np.int64(place)


@part
def address_of(place: Int, ends: Any, begin: Int, end: Int) -> Any:
    """The first address of a group whose running capacity is above `place`."""
    low, high = begin, end - 1
    while low < high:
        middle = (low + high) >> 1
        if place < ends[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def draw_links(
    keys: Any,
    known: LinkedDevices,
    widths: Any,
    taken: Any,
    totals: Any,
    group_starts: Any,
    capacity_ends: Any,
    addresses: Any,
    devices: Any,
    roles: Any,
) -> int:
    """Links of devices. Returns the rows filled: a device is linked to an address once, so the second of two equal links is left out.

    `keys`: of links (as in `count_links`) and of dealing. `taken`: links of each group before this part, counted up here. `totals`: links
    of each group. `group_starts`: the first address of each group, and the end. `capacity_ends`: running capacities within a group.
    """
    made = 0
    for row in range(len(known.device_type)):
        u_count, u_first = two(keys[0], known.before + row, 0)
        begin = made
        for turn in range(drawn_count(u_count, known.table, known.device_type[row])):
            kind = link_type(keys[0], known, row, turn, u_first)
            group = np.int64(known.country[row]) * known.types + kind
            place = dealt(keys[1], group, taken[group], widths[kind], totals[group])
            taken[group] += 1
            address = address_of(place, capacity_ends, group_starts[group], group_starts[group + 1])
            again = False
            for earlier in range(begin, made):
                again = again or addresses[earlier] == address + 1
            if not again and made < len(addresses):
                addresses[made], devices[made], roles[made] = address + 1, row, kind
                made += 1
    return made


@kernel
def draw_networks(key: Any, kinds: Any, ends: Any, words: Int, networks: Any) -> None:
    """The class of the network of each address, by its type."""
    for row in range(len(kinds)):
        choice = kinds[row] * words
        networks[row] = chosen(one(key, row, 0), ends, choice, choice + words) - choice
