"""Laundering: units of accounts that pass money on in layers. A kernel writes the flows of one campaign, one flow an edge."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.crews import ACCOUNT, COUNTERPARTY, CREW, EPISODE, MINOR, PLACES, ROLE, TS, a_party, later, ranged, started
from assay.engine.philox import below, one, two
from assay.engine.quantiles import interpolated

CYCLE, FAN_IN, FAN_OUT, STACK, SCATTER_GATHER, GATHER_SCATTER = range(6)
KINDS = ("CYCLE", "FAN_IN", "FAN_OUT", "STACK", "SCATTER_GATHER", "GATHER_SCATTER")
PLACEMENT, LAYERING, INTEGRATION = range(3)
#: flows of the largest unit
UNIT_MAX = 512
_NEAR, _TRIES = 12, 200


class Shape(NamedTuple):
    """What a motif is. Times are microseconds, amounts minor units."""

    kind: int
    width_low: int
    width_high: int
    length: int
    units: int
    fee: float
    start_share: float
    preferred: float
    home: float
    gap_us: float
    window_us: int
    median: float
    round_share: float
    round_step: int


@kernel
def run_motifs(
    keys: Any,
    windows: Any,
    shape: Any,
    first: Any,
    member: Any,
    group: Any,
    activity: Any,
    payable: Any,
    country: Any,
    offset_us: Any,
    hours: Any,
    gap: Any,
    amount: Any,
    widths: Any,
    node: Any,
    ready: Any,
    money: Any,
    flows: Int,
    out: Any,
    merchant: Any,
) -> Int:
    """Fill whole units until there are at least `flows` flows, and give their number.

    widths: scratch by layer. node, ready, money: scratch by layer and place: account, when its money is there, how much it is.
    """
    i, unit = 0, 0
    while i < flows:
        crew = unit // shape.units
        window = windows[below(one(keys[0], crew * PLACES, 2), len(windows))]
        end = window + shape.window_us
        land = country[a_party(first, member, group, activity, shape.preferred, -1, keys[0], crew * PLACES, 0)]
        last = window + np.int64(shape.start_share * np.float64(shape.window_us))
        u, v = two(keys[1], unit, 0)
        begin = started(hours, window, last, offset_us[land], 0.0, u, keys[1], unit)
        layers = lay_out(shape, v, widths)
        for layer in range(layers):
            for k in range(widths[layer]):
                ready[layer, k], money[layer, k] = begin, 0
                at = (unit * PLACES + layer) * PLACES + k
                node[layer, k] = an_account(shape, first, member, group, activity, payable, land, keys[1], at, layer, k, widths, node)
        if shape.kind == CYCLE:
            node[layers - 1, 0] = node[0, 0]
        wanted = np.int64(shape.median * interpolated(amount, one(keys[1], unit, 3)))
        for k in range(widths[0]):
            money[0, k] = brought(shape, keys[1], (unit * PLACES + PLACES - 1) * PLACES + k, wanted * (widths[1] if widths[0] == 1 else 1))
        for layer in range(layers - 1):
            for k in range(widths[layer]):
                done = i
                i = pass_on(shape, keys[2], end, layer, layers, k, widths, node, ready, money, gap, i, out)
                for j in range(done, i):
                    out[EPISODE, j], out[CREW, j] = unit, crew
                    merchant[j] = one(keys[2], j, 9)
        unit += 1
    return i


@part
def lay_out(shape: Any, u: Any, widths: Any) -> Any:
    """Accounts by layer; gives the number of layers. The last account of a cycle is its first."""
    k = ranged(u, shape.width_low, shape.width_high)
    if shape.kind == CYCLE or shape.kind == STACK:
        layers = k + 1 if shape.kind == CYCLE else shape.length
        for layer in range(layers):
            widths[layer] = 1 if shape.kind == CYCLE else k
        return layers
    wide = shape.kind == FAN_IN or shape.kind == GATHER_SCATTER
    widths[0], widths[1], widths[2] = k if wide else 1, 1 if wide else k, k if wide else 1
    return 2 if shape.kind == FAN_IN or shape.kind == FAN_OUT else 3


@part
def an_account(
    shape: Any,
    first: Any,
    member: Any,
    group: Any,
    activity: Any,
    payable: Any,
    land: Int,
    key: Any,
    row: Int,
    layer: Int,
    k: Int,
    widths: Any,
    node: Any,
) -> Any:
    """An account that the unit does not have yet, 0 where none was found. The first tries look at home and among the preferred."""
    for again in range(_TRIES):
        draw = 16 + 4 * again
        near = again < _NEAR
        at = land if near and one(key, row, draw) < shape.home else -1
        preferred = shape.preferred if near else 0.0
        account = np.int64(payable[a_party(first, member, group, activity, preferred, at, key, row, draw + 1)])
        if account and not among(account, layer, k, widths, node):
            return account
    return np.int64(0)


@part
def among(account: Any, layer: Int, k: Int, widths: Any, node: Any) -> Any:
    """Whether the unit has the account already, before place k of the layer."""
    for above in range(layer + 1):
        for j in range(k if above == layer else widths[above]):
            if node[above, j] == account:
                return True
    return False


@part
def brought(shape: Any, key: Any, row: Int, wanted: Int) -> Any:
    """What an account of the first layer brings in: within 15 % of `wanted`, perhaps rounded."""
    u, v = two(key, row, 4)
    minor = np.int64(np.float64(wanted) * (0.85 + 0.3 * u))
    if v < shape.round_share:
        return max(minor // shape.round_step, 1) * shape.round_step
    return max(minor, 100)


@part
def pass_on(
    shape: Any,
    key: Any,
    end: Int,
    layer: Int,
    layers: Int,
    k: Int,
    widths: Any,
    node: Any,
    ready: Any,
    money: Any,
    gap: Any,
    i: Int,
    out: Any,
) -> Any:
    """Write the edges of an account: all it has, less its fee, in parts. Gives the number of the next flow."""
    width = widths[layer + 1]
    narrow = widths[layer] == 1 or width == 1
    edges = width if narrow else 2
    rest = money[layer, k]
    if layer:
        rest -= np.int64(np.float64(rest) * shape.fee)
    for edge in range(edges):
        to = edge if narrow else (k + edge) % width
        minor = rest
        if edge < edges - 1:
            minor = np.int64(np.float64(rest // (edges - edge)) * (0.75 + 0.5 * one(key, i, 8)))
        rest -= minor
        at = later(ready[layer, k], end, shape.gap_us * interpolated(gap, one(key, i, 0)))
        out[TS, i], out[ACCOUNT, i], out[COUNTERPARTY, i] = at, node[layer, k], node[layer + 1, to]
        out[MINOR, i] = max(minor, 1)
        out[ROLE, i] = PLACEMENT if layer == 0 else INTEGRATION if layer == layers - 2 else LAYERING
        money[layer + 1, to] += minor
        ready[layer + 1, to] = max(ready[layer + 1, to], at)
        i += 1
    return i


@kernel
def instruments_of(account: Any, owner: Any, first: Any, instrument: Any, account_of: Any, out: Any) -> None:
    """An instrument of each account, else the first one of its owner."""
    for i in range(len(account)):
        party = owner[account[i]]
        out[i] = instrument[first[party]]
        for place in range(first[party], first[party + 1]):
            if account_of[instrument[place]] == account[i]:
                out[i] = instrument[place]
                break
