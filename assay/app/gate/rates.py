"""How many items a second one actor may send: a bucket of tokens for each, as pure steps of time.

A bucket is one number: the time at which it is full again, if nothing more is taken (the generic cell rate algorithm, ITU-T I.371).
So it is stored as a whole or not at all, wherever it stands.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple, Protocol

from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: seconds of the rate that an actor may send at once, where nothing else is said
BURST_S: Final = 10.0
#: actors that one process alone remembers; who has not called for long has a full bucket, as has one who is not remembered
ACTORS_MAX: Final = 10_000
#: the bucket of an actor that nobody remembers
FULL: Final = -math.inf
#: items by which a bucket may seem too small: what rounding costs over millions of calls. It is paid later, as any item
_ROUNDING: Final = 1e-3


class Limit(NamedTuple):
    """Items a second in the long run, and items at once."""

    per_s: float
    burst: float


class Buckets(Protocol):
    """The buckets of all actors, wherever they stand."""

    def take(self, actor: str, items: int, now_s: float, limit: Limit) -> float:
        """Take items of an actor's bucket; the seconds to wait, as `taken` gives them."""


def limit_of(per_s: float, burst: int) -> Limit | None:
    """The limit of the settings; None for none. Without a burst it is what ten seconds bring, and one item at least."""
    return Limit(per_s, float(burst) or max(1.0, per_s * BURST_S)) if per_s > 0 else None


def taken(full_s: float, items: int, now_s: float, limit: Limit) -> tuple[float, float]:
    """When a bucket is full after a call, and the seconds to wait: 0 where the call is taken. A call that has to wait takes nothing.

    A call of more items than the burst is taken from a full bucket, and the debt is paid by time: so the rate holds for calls of any size.
    Time that goes back brings nothing.
    """
    held = limit.burst - max(0.0, full_s - now_s) * limit.per_s
    short = min(float(items), limit.burst) - held
    if short > _ROUNDING:
        return full_s, short / limit.per_s
    return max(full_s, now_s) + items / limit.per_s, 0.0


class RateLimited(Retry):
    """An actor sends too fast. `after_s`: whole seconds until the same call is taken, if nothing else comes."""

    def __init__(self, actor: str, items: int, limit: Limit, wait_s: float) -> None:
        self.after_s = max(1, math.ceil(wait_s))
        what = f"{actor} sends faster than {limit.per_s:g} items a second; this call has {items}"
        super().__init__(Reason.RATE_LIMITED, what, remedy=f"Nothing was taken; send the same call again in {self.after_s} s.")


class OwnBuckets:
    """Those of a process that is the only one of its gate. Not for several threads."""

    def __init__(self) -> None:
        self._full_s: dict[str, float] = {}

    def take(self, actor: str, items: int, now_s: float, limit: Limit) -> float:
        """Take items of an actor's bucket; the seconds to wait."""
        full_s, wait_s = taken(self._full_s.pop(actor, FULL), items, now_s, limit)
        self._full_s[actor] = full_s  # the last one that called is the last to be forgotten
        if len(self._full_s) > ACTORS_MAX:
            del self._full_s[next(iter(self._full_s))]
        return wait_s


class Rates:
    """The limit of one gate. `buckets` are those of its process, or of all its processes (`shared_buckets`)."""

    def __init__(self, limit: Limit | None = None, buckets: Buckets | None = None) -> None:
        self._limit = limit
        self._buckets: Buckets = buckets or OwnBuckets()

    def take(self, actor: str, items: int, now_s: float) -> None:
        """Take the items of a call. Raises Retry(RATE_LIMITED), and nothing is taken then. `now_s` is by the monotonic clock."""
        if self._limit is None:
            return
        wait_s = self._buckets.take(actor, items, now_s, self._limit)
        if wait_s:
            raise RateLimited(actor, items, self._limit, wait_s)
