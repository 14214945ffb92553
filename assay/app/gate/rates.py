"""How many items a second one actor may send: a bucket of tokens for each, as pure steps of time."""

from __future__ import annotations

import math
from typing import NamedTuple

from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: seconds of the rate that an actor may send at once, where nothing else is said
BURST_S = 10.0
#: actors that are remembered; who has not called for long has a full bucket, as has one who is not remembered
ACTORS_MAX = 10_000


class Limit(NamedTuple):
    """Items a second in the long run, and items at once."""

    per_s: float
    burst: float


class Bucket(NamedTuple):
    """Items that may be sent at a time in seconds. Below zero an actor is in debt: it sent more at once than the burst."""

    items: float
    at_s: float


def limit_of(per_s: float, burst: int) -> Limit | None:
    """The limit of the settings; None for none. Without a burst it is what ten seconds bring, and one item at least."""
    return Limit(per_s, float(burst) or max(1.0, per_s * BURST_S)) if per_s > 0 else None


def taken(bucket: Bucket | None, items: int, now_s: float, limit: Limit) -> tuple[Bucket, float]:
    """The bucket after a call, and the seconds to wait: 0 where the call is taken. A call that has to wait takes nothing.

    A call of more items than the burst is taken from a full bucket, and the debt is paid by time: so the rate holds for calls of any size.
    Time that goes back brings nothing.
    """
    held = limit.burst if bucket is None else min(limit.burst, bucket.items + max(0.0, now_s - bucket.at_s) * limit.per_s)
    short = min(float(items), limit.burst) - held
    if short > 0:
        return Bucket(held, now_s), short / limit.per_s
    return Bucket(held - items, now_s), 0.0


class RateLimited(Retry):
    """An actor sends too fast. `after_s`: whole seconds until the same call is taken, if nothing else comes."""

    def __init__(self, actor: str, items: int, limit: Limit, wait_s: float) -> None:
        self.after_s = max(1, math.ceil(wait_s))
        what = f"{actor} sends faster than {limit.per_s:g} items a second; this call has {items}"
        super().__init__(Reason.RATE_LIMITED, what, remedy=f"Nothing was taken; send the same call again in {self.after_s} s.")


class Rates:
    """The buckets of one gate. Not for several threads."""

    def __init__(self, limit: Limit | None = None) -> None:
        self._limit = limit
        self._buckets: dict[str, Bucket] = {}

    def take(self, actor: str, items: int, now_s: float) -> None:
        """Take the items of a call. Raises Retry(RATE_LIMITED), and nothing is taken then. `now_s` never goes back."""
        if self._limit is None:
            return
        bucket, wait_s = taken(self._buckets.pop(actor, None), items, now_s, self._limit)
        self._buckets[actor] = bucket  # the last one that called is the last to be forgotten
        if len(self._buckets) > ACTORS_MAX:
            del self._buckets[next(iter(self._buckets))]
        if wait_s:
            raise RateLimited(actor, items, self._limit, wait_s)
