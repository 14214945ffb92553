"""Guards of segment 6B: each refuses rows that cannot be right, and names the first of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_REMEDY = "This is a fault of the engine or of its parameters; the segment leaves no flag."


def refuse_no_party(equipped: int) -> None:
    """No party has an instrument and a device with an address."""
    if not equipped:
        raise tripped("party that can pay", "s1_party_base_6A", "no party has an instrument and a device with an address")


def refuse_unowned(output: str, owner: NDArray[Any], parties: int) -> None:
    """An account or an instrument without an owner among the parties."""
    refuse("missing owner", output, (owner < 1) | (owner > parties), "a row whose owner is no party", owner)


def refuse_unknown_merchant(merchants: NDArray[Any], place: NDArray[Any]) -> None:
    """An arrival of a merchant that is not in the catalogue."""
    refuse("merchant of the catalogue", "arrival_events_5B", place < 0, "arrivals of an unknown merchant", merchants)


def refuse_incomplete(output: str, *entities: NDArray[Any]) -> None:
    """An arrival without one of its entities."""
    missing = np.zeros(len(entities[0]), np.bool_)
    for ids in entities:
        missing |= ids < 1
    refuse("entities of an arrival", output, missing, "arrivals without an entity", entities[0])


def refuse_outside(output: str, ts_us: NDArray[np.int64], first_us: int, end_us: int) -> None:
    """A time outside of the part or of the horizon."""
    refuse("time within its bounds", output, (ts_us < first_us) | (ts_us >= end_us), "rows outside of their days", ts_us)


def refuse_twice(output: str, keys: NDArray[Any]) -> None:
    """An arrival that two campaigns overlay."""
    ordered = np.sort(keys, kind="stable")
    same = np.zeros(len(keys), np.bool_)
    same[1:] = ordered[1:] == ordered[:-1]
    refuse("one campaign for an arrival", output, same, "arrivals in two campaigns", ordered)


def refuse_unmatched(output: str, found: NDArray[Any], keys: NDArray[Any]) -> None:
    """A planned arrival of the part that the baseline does not have exactly once."""
    refuse("planned arrivals exist", output, found != 1, "planned arrivals that are not flows of their day", keys)


def refuse(guard: str, output: str, wrong: NDArray[Any], what: str, shown: NDArray[Any]) -> None:
    """Raise Stop(ENGINE_GUARD_TRIPPED) where a row is wrong."""
    count = int(np.count_nonzero(wrong))
    if count:
        first = int(np.flatnonzero(wrong)[0])
        raise tripped(guard, output, f"{count} rows: {what}, first: row {first} with {shown[first]}")


def tripped(guard: str, output: str, what: str) -> Stop:
    """The refusal of a guard."""
    return Stop(Reason.ENGINE_GUARD_TRIPPED, f"guard '{guard}': {what}", where=output, remedy=_REMEDY)
