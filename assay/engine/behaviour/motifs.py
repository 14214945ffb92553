"""Laundering: units of accounts that pass money on in layers. A kernel writes the flows of one campaign, one flow an edge."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.crews import (
    ACCOUNT,
    COUNTERPARTY,
    CREW,
    EPISODE,
    INSTRUMENT,
    MINOR,
    PARTY,
    ROLE,
    TS,
    a_party,
    connect,
    later,
    ranged,
    started,
)
from assay.engine.philox import below, one, two
from assay.engine.quantiles import interpolated

CYCLE, FAN_IN, FAN_OUT, STACK, SCATTER_GATHER, GATHER_SCATTER = range(6)
KINDS = ("CYCLE", "FAN_IN", "FAN_OUT", "STACK", "SCATTER_GATHER", "GATHER_SCATTER")
PLACEMENT, LAYERING, INTEGRATION = range(3)
#: flows of the largest unit
UNIT_MAX = 512
_TRIES = 32


class Shape(NamedTuple):
    """What a motif is, beside its company."""

    kind: int
    width_low: int
    width_high: int
    length: int
    fee: float
    start_share: float


@kernel
def run_motifs(
    keys: Any,
    windows: Any,
    company: Any,
    shape: Any,
    lists: Any,
    tables: Any,
    widths: Any,
    node: Any,
    ready: Any,
    money: Any,
    flows: Int,
    out: Any,
    merchant: Any,
) -> Int:
    """Fill whole units until there are at least `flows` flows, and give their number. widths, node, ready, money: scratch by layer."""
    i, unit = 0, 0
    while i < flows:
        crew = unit // company.episodes
        window = windows[below(one(keys[0], crew * CREW, 2), len(windows))]
        end = window + company.window_us
        land = lists.country[a_party(lists, tables, company.preferred, -1, keys[0], crew * CREW, 0)]
        last = window + np.int64(shape.start_share * np.float64(company.window_us))
        u, v = two(keys[1], unit, 0)
        begin = started(tables, window, last, lists.offset_us[land], 0.0, u, keys[1], unit)
        layers = lay_out(shape, v, widths)
        settle(lists, tables, company, keys[1], unit, land, shape.kind == CYCLE, layers, widths, node)
        wanted = np.int64(company.median * interpolated(tables.amount, one(keys[1], unit, 3)))
        for k in range(widths[0]):
            ready[0, k], money[0, k] = begin, fresh(company, keys[1], unit, k, wanted * max(1, widths[1] if widths[0] == 1 else 1))
        for layer in range(1, layers):
            for k in range(widths[layer]):
                ready[layer, k], money[layer, k] = begin, 0
        for layer in range(layers - 1):
            for k in range(widths[layer]):
                i = pass_on(
                    keys, company, shape, lists, tables, unit, crew, end, layer, layers, k, widths, node, ready, money, i, out, merchant
                )
        unit += 1
    return i


@part
def lay_out(shape: Any, u: Any, widths: Any) -> Any:
    """Accounts by layer; gives the number of layers. In a cycle the last account is the first."""
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
def settle(lists: Any, tables: Any, company: Any, key: Any, unit: Int, land: Int, closed: Any, layers: Int, widths: Any, node: Any) -> None:
    """Choose the accounts of a unit, all different; 0 where none was found."""
    count = 0
    for layer in range(layers):
        for k in range(widths[layer]):
            node[layer, k] = 0
            if closed and layer == layers - 1:
                node[layer, k] = node[0, 0]
                break
            for again in range(_TRIES):
                row, draw = unit * CREW * CREW + count, 16 + 4 * again
                at = land if one(key, row, draw) < company.home else -1
                account = np.int64(lists.payable[a_party(lists, tables, company.preferred, at, key, row, draw + 1)])
                if account and not among(account, layer, k, widths, node):
                    node[layer, k] = account
                    break
            count += 1


@part
def among(account: Any, layer: Int, k: Int, widths: Any, node: Any) -> Any:
    """Whether the unit has the account already, before place k of the layer."""
    for above in range(layer + 1):
        for j in range(k if above == layer else widths[above]):
            if node[above, j] == account:
                return True
    return False


@part
def fresh(company: Any, key: Any, unit: Int, k: Int, wanted: Int) -> Any:
    """What an account of the first layer brings in, in minor units: about `wanted`."""
    u, v = two(key, unit * CREW * CREW + k, 4)
    minor = np.int64(np.float64(wanted) * (0.85 + 0.3 * u))
    if v < company.round_share:
        return max(minor // company.round_step, 1) * company.round_step
    return max(minor, 100)


@part
def pass_on(
    keys: Any,
    company: Any,
    shape: Any,
    lists: Any,
    tables: Any,
    unit: Int,
    crew: Int,
    end: Int,
    layer: Int,
    layers: Int,
    k: Int,
    widths: Any,
    node: Any,
    ready: Any,
    money: Any,
    i: Int,
    out: Any,
    merchant: Any,
) -> Any:
    """Write the edges of an account: all it has, less its fee, in parts. Gives the number of the next flow."""
    width = widths[layer + 1]
    edges = width if widths[layer] == 1 or width == 1 else 2
    rest = money[layer, k]
    if layer:
        rest -= np.int64(np.float64(rest) * shape.fee)
    ts = ready[layer, k]
    for edge in range(edges):
        to = edge if widths[layer] == 1 or width == 1 else (k + edge) % width
        minor = rest
        if edge < edges - 1:
            minor = np.int64(np.float64(rest // (edges - edge)) * (0.75 + 0.5 * one(keys[2], i, 8)))
        rest -= minor
        at = later(ts, end, company.gap_us * interpolated(tables.gap, one(keys[2], i, 0)))
        account = node[layer, k]
        who = lists.owner[account]
        out[TS, i], out[PARTY, i], out[ACCOUNT, i] = at, who, account
        out[INSTRUMENT, i] = instrument_of(lists, who, account)
        connect(lists, company, keys, crew, i, who, out)
        out[COUNTERPARTY, i], out[MINOR, i], out[EPISODE, i] = node[layer + 1, to], max(minor, 1), unit
        out[ROLE, i] = PLACEMENT if layer == 0 else INTEGRATION if layer == layers - 2 else LAYERING
        merchant[i] = one(keys[2], i, 9)
        money[layer + 1, to] += minor
        ready[layer + 1, to] = max(ready[layer + 1, to], at)
        i += 1
    return i


@part
def instrument_of(lists: Any, party: Int, account: Int) -> Any:
    """An instrument of an account, else the first one of its owner."""
    first, last = lists.instruments[0][party], lists.instruments[0][party + 1]
    for place in range(first, last):
        if lists.account_of[lists.instruments[1][place]] == account:
            return np.int64(lists.instruments[1][place])
    return np.int64(lists.instruments[1][first])
