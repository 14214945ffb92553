"""Kernels over the rows of a batch, before they are folded entity by entity: what each row is, and what it needs of all entities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64, U8
from assay.codecs.kernel import kernel, part
from assay.tables.row_features import fill_row_features
from assay.tables.row_kinds import LABEL, PAYMENT
from assay.tables.subjects import FOLDED, FRAUD, UNKNOWN
from assay.tables.windows import LABELS, NOTHING, PAYS

#: refusal of a label whose payment is unknown
NO_SUBJECT = 1


@kernel
def survey(kinds: NDArray[np.int8], live: NDArray[np.bool_], amounts: I64, ordinals: I64) -> tuple[int, int, int]:
    """The largest amount of the live payments, their number, and the end of the ordinals of all rows; zeros without any."""
    largest = count = end = 0
    for i in range(len(kinds)):
        end = max(end, int(ordinals[i]) + 1)
        if live[i] and kinds[i] == PAYMENT:
            count += 1
            largest = max(largest, int(amounts[i]))
    return largest, count, end


@part
def _bucket_rows(times: I64, n: int, shapes: I64, buckets: I64) -> None:
    """buckets[2q, i] = bucket of row i in ring shape q, buckets[2q + 1, i] = its place in the ring. Floors also before 1970."""
    for q in range(len(shapes)):
        resolution, length = shapes[q, 0], shapes[q, 1]
        bucket = place = begins = ends = np.int64(0)
        for i in range(n):
            if not begins <= times[i] < ends:  # most rows are in the bucket of the row before: that spares two divisions
                bucket = times[i] // resolution
                place = bucket % length
                begins = bucket * resolution
                ends = begins + resolution
            buckets[2 * q, i] = bucket
            buckets[2 * q + 1, i] = place


@kernel
def fold_rows(
    kinds: NDArray[np.int8],
    live: NDArray[np.bool_],
    times: I64,
    amounts: I64,
    labels: NDArray[np.int8],
    ordinals: I64,
    subjects: I64,
    base: int,
    subject_times: I64,
    subject_marks: U8,
    features: I64,
    shapes: I64,
    roles: U8,
    counted_times: I64,
    buckets: I64,
    longs: I64,
    refusals: NDArray[np.int8],
) -> None:
    """Remember live payments as subjects, let live labels speak of them, and write the features of payments alone, in row order.

    Writes for every row its role, the time at which it counts (for a fraud that of its payment), its buckets (2q, n or more) in the ring
    shapes, and whether it is refused. A payment's fraud counts once, whoever asserts it first. Subjects begin with ordinal `base`.
    """
    n, mask = len(kinds), len(subject_times) - 1
    for i in range(n):
        roles[i], counted_times[i], refusals[i] = NOTHING, times[i], 0
        if not live[i]:
            continue
        if kinds[i] == PAYMENT:
            roles[i] = PAYS
            if ordinals[i] >= 0:
                subject_times[ordinals[i] & mask] = times[i]
                subject_marks[ordinals[i] & mask] = FOLDED
        elif kinds[i] == LABEL:
            at = subjects[i] & mask
            if subjects[i] < base or subject_marks[at] == UNKNOWN:
                refusals[i] = NO_SUBJECT
            elif labels[i] == 1 and subject_marks[at] != FRAUD:
                subject_marks[at] = FRAUD
                roles[i], counted_times[i] = LABELS, subject_times[at]
    _bucket_rows(counted_times, n, shapes, buckets)
    fill_row_features(features, roles, times, amounts, longs)
