"""Which arrivals campaigns take: each planned flow gets an arrival of its day, and no arrival is taken twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.codecs.kernel import Int, kernel, part
from assay.engine.behaviour.channels import ATM, BANK_RAIL, arrival_row, mixed
from assay.engine.behaviour.crews import COUNTERPARTY, MINOR
from assay.engine.philox import below, chosen, one

#: draws of a merchant within the share of a day that campaigns may take, and beyond it
_WITHIN, _TRIES = 40, 120
_EMPTY = -1


def room_for(flows: int) -> NDArray[np.int64]:
    """An empty set for so many numbers."""
    return np.full(1 << (4 * flows + 16).bit_length(), _EMPTY, np.int64)


@kernel
def assign(
    key: Any,
    day: Any,
    law: Any,
    merchant: Any,
    ends: Any,
    first_seq: Any,
    channel: Any,
    share: Any,
    step: Int,
    used: Any,
    taken: Any,
    flow: Any,
    place: Any,
    seq: Any,
) -> None:
    """Fill place and seq, -1 where the day has no arrival left.

    The draw in `merchant` names the same merchant on every day; where that one has no room, another one of the day is drawn.

    law: of each flow. ends: by law, day and merchant, and by law for all days, running sums of weights. first_seq: by merchant and day.
    share: of a merchant's day. used: by merchant and day, 0. flow: rows of the flows; cash becomes a multiple of `step`, and only
    transfers keep a counterparty.
    """
    merchants, days = first_seq.shape[0], first_seq.shape[1] - 1
    for i in range(len(day)):
        place[i], seq[i] = -1, -1
        today = (law[i] * (days + 1) + day[i]) * merchants
        if ends[today + merchants - 1] <= 0:
            continue
        for again in range(_TRIES):
            u = one(key, i, again) if again else merchant[i]
            block = today if again else (law[i] * (days + 1) + days) * merchants
            m = chosen(u, ends, block, block + merchants) - block
            arrivals = first_seq[m, day[i] + 1] - first_seq[m, day[i]]
            most = np.int64(share * np.float64(arrivals)) if again < _WITHIN else arrivals
            if used[m, day[i]] >= min(max(most, 1), arrivals):
                continue
            used[m, day[i]] += 1
            at = below(one(key, i, _TRIES + again), arrivals)
            while not added(taken, arrival_row(m, first_seq[m, day[i]] + at)):
                at = (at + 1) % arrivals
            place[i], seq[i] = m, first_seq[m, day[i]] + at
            if channel[m] == ATM:
                flow[MINOR, i] = max(flow[MINOR, i] // step, 1) * step
            if channel[m] != BANK_RAIL:
                flow[COUNTERPARTY, i] = 0
            break


@part
def added(taken: Any, number: Any) -> Any:
    """Put a number into a set; False where it is there already."""
    at = mixed(number, np.uint64(0)) & (len(taken) - 1)
    while taken[at] != _EMPTY:
        if taken[at] == number:
            return False
        at = (at + 1) & (len(taken) - 1)
    taken[at] = number
    return True
