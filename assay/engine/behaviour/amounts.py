"""What is paid, to whom, and when the bank answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.channels import ATM, BANK_RAIL, arrival_row, mixed, resolved
from assay.engine.philox import below, chosen, one, two
from assay.engine.quantiles import interpolated

#: payees that are looked at for one that is not the payer
_TRIES = 4


@kernel
def pay(
    keys: Any,
    merchant: Any,
    seq: Any,
    ts: Any,
    channel: Any,
    virtual: Any,
    party: Any,
    account: Any,
    demand_class: Any,
    business: Any,
    country: Any,
    payable: Any,
    everyone: Any,
    businesses: Any,
    purchase: Any,
    cash: Any,
    transfer: Any,
    latency: Any,
    bounds: Any,
    out: Any,
) -> None:
    """Fill out: rows flow id, amount in minor units, payee's account or 0, time of the response in microseconds.

    keys: of flows, of habits, of channels, of flow ids, of payees. everyone, businesses: (first, party, home). purchase: (points, ends of
    their weights, median by class, factor by channel, lognormals of payment, party and merchant, shares). cash: (points, ends, lognormal,
    numbers). transfer: (places of visits, places of activity, lognormal, numbers). latency: microseconds. bounds: least and most amount,
    the last microsecond of the horizon, web's share of HYBRID.
    """
    for i in range(len(merchant)):
        number, who = arrival_row(merchant[i], seq[i]), party[i]
        sold = resolved(channel[i], virtual[i], bounds[3], keys[2], number)
        payee = np.int64(0)
        if sold == ATM:
            minor = withdrawn(cash, keys[0], number)
        elif sold == BANK_RAIL:
            slot = chosen_payee(transfer, keys[0], number)
            payee = payee_of(transfer, everyone, businesses, payable, country, keys[4], who, account[i], slot)
            minor = transferred(transfer, keys, number, who, slot)
        else:
            scale = purchase[2][demand_class[merchant[i]]] * purchase[3][sold]
            if business[who]:
                scale *= purchase[7][4]
            minor = bought(purchase, keys, number, who, merchant[i], scale)
        out[0][i] = mixed(number, keys[3])
        out[1][i] = min(max(minor, np.int64(bounds[0])), np.int64(bounds[1]))
        out[2][i] = payee
        response = ts[i] + np.int64(interpolated(latency, one(keys[0], number, 1)))
        out[3][i] = min(response, np.int64(bounds[2]))


@part
def bought(purchase: Any, keys: Any, number: Int, who: Int, merchant: Int, scale: Any) -> Any:
    """A purchase in minor units. purchase[7]: shares of price points, of whole units, of .99, of .50, and the factor of businesses."""
    u, v = two(keys[0], number, 0)
    shares = purchase[7]
    if u < shares[0]:
        return np.int64(purchase[0][chosen(v, purchase[1], 0, len(purchase[1]))])
    minor = scale * interpolated(purchase[4], v)
    minor *= interpolated(purchase[5], one(keys[1], who, 0))
    minor *= interpolated(purchase[6], one(keys[1], merchant, 1))
    return ended(np.int64(minor), one(keys[0], number, 2), shares[1], shares[2], shares[3])


@part
def ended(minor: Any, u: Any, whole: Any, ninety_nine: Any, fifty: Any) -> Any:
    """An amount as tills make it: whole units, .99, .50, or as it is."""
    units = minor // 100
    if u < whole:
        return max(units, np.int64(1)) * 100
    if u < whole + ninety_nine:
        return units * 100 + 99
    if u < whole + ninety_nine + fifty:
        return units * 100 + 50
    return minor


@part
def withdrawn(cash: Any, key: Any, number: Int) -> Any:
    """Cash in minor units. cash[3]: share of points, median, step."""
    u, v = two(key, number, 0)
    if u < cash[3][0]:
        return np.int64(cash[0][chosen(v, cash[1], 0, len(cash[1]))])
    step = np.int64(cash[3][2])
    return max(np.int64(cash[3][1] * interpolated(cash[2], v)) // step, np.int64(1)) * step


@part
def chosen_payee(transfer: Any, key: Any, number: Int) -> Any:
    """The place in the payer's list of payees. transfer[3]: payees, business, home and standing share, median, share and step of rounds."""
    return below(interpolated(transfer[0], one(key, number, 0)), np.int64(transfer[3][0]))


@part
def payee_of(transfer: Any, everyone: Any, businesses: Any, payable: Any, country: Any, key: Any, who: Int, account: Int, slot: Int) -> Any:
    """The account that a party's payee is paid to; 0 where none was found. It is not the account that pays."""
    for again in range(_TRIES):
        draw = 2 * (np.int64(slot) * _TRIES + again)
        u, v = two(key, who, draw)
        x, _ = two(key, who, draw + 1)
        group = everyone
        if u < transfer[3][1]:
            group = businesses
        at = len(group[2]) - 1
        if v < transfer[3][2]:
            at = group[2][country[who]]
        first, last = group[0][at], group[0][at + 1]
        if last > first:
            paid = payable[group[1][first + below(interpolated(transfer[1], x), last - first)]]
            if paid and paid != account:
                return np.int64(paid)
    return np.int64(0)


@part
def transferred(transfer: Any, keys: Any, number: Int, who: Int, slot: Int) -> Any:
    """A transfer in minor units: the payee's standing amount, or another."""
    numbers = transfer[3]
    u, v = two(keys[0], number, 3)
    if u < numbers[3]:
        w = one(keys[4], who, 1_000_000 + np.int64(slot))
        return np.int64(numbers[4] * interpolated(transfer[2], w))
    minor = np.int64(numbers[4] * interpolated(transfer[2], v))
    step = np.int64(numbers[6])
    if one(keys[0], number, 4) < numbers[5]:
        return max(minor // step, np.int64(1)) * step
    return minor
