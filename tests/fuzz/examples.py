"""Valid bytes of every kind, to be damaged: taken from a small run of the whole topology in memory."""

from __future__ import annotations

from functools import cache

import numpy as np
import records
from numpy.typing import NDArray
from simulated_worlds import Finished, run, small_world

from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.columns import Strings
from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import record_types, split
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics

EACH_MAX = 6


@cache
def values() -> tuple[bytes, ...]:
    """Some values of every record type."""
    log = _run().log
    found = [value for handle in topics() for value in log.values(handle)]
    found += [value or b"" for segment in segments() for value in read_segment(segment).values.tolist()]
    found += [records.context_fact("c", records.T0_US, {"merchant": "m", "city": "Köln"}), records.mark(records.TRAFFIC, 1, 5, final=True)]
    found += [quarantine_value(records.TRAFFIC, 0, 7, Reason.BYTES_GARBAGE, "why", records.T0_US, b"raw")]
    types = split(Strings.of(found))
    return tuple(value for number in range(len(record_types())) for value in _spread(found, types == number))


@cache
def segments() -> tuple[bytes, ...]:
    """Audit segments of that run."""
    store = _run().simulator.store
    return tuple(store.read(key) for key in store.keys(SEGMENTS))


@cache
def _run() -> Finished:
    return run(small_world(payments=12))


def _spread(found: list[bytes], mine: NDArray[np.bool_]) -> list[bytes]:
    """The shortest and the longest of a type and some between them."""
    chosen = sorted({value for value, is_mine in zip(found, mine, strict=True) if is_mine}, key=len)
    return chosen[:: max(1, len(chosen) // EACH_MAX)][:EACH_MAX] + chosen[-1:]
