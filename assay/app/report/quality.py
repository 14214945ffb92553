"""How well scores rank fraud: AUC ROC, average precision, and card precision by the Handbook's protocol.

Pure functions on arrays. Scores may be integers; higher means more suspicious. Equal scores never hide a choice: AUC
averages ranks, average precision moves one distinct score at a time, card precision breaks ties by customer id.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import I64

DAY_US = 86_400_000_000
#: the published protocol
TRAIN_DAYS, DELAY_DAYS, TEST_DAYS = 7, 7, 7


class Quality(NamedTuple):
    """Metrics over the rows a split leaves. A metric is None without the classes that it needs.

    `card_precision_most` is what card precision cannot exceed, because a day has no more customers.
    """

    rows: int
    frauds: int
    auc: float | None
    average_precision: float | None
    card_precision: float | None
    card_precision_most: float = 1.0


def auc_roc(fraud: NDArray[np.bool_], score: NDArray[np.generic]) -> float | None:
    """Probability that a fraud outranks a legitimate payment, ties counting half (Mann-Whitney). None without both."""
    frauds, n = int(fraud.sum()), len(fraud)
    if frauds in (0, n):
        return None
    _, level, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2.0
    return float((rank[level][fraud].sum() - frauds * (frauds + 1) / 2) / (frauds * (n - frauds)))


def average_precision(fraud: NDArray[np.bool_], score: NDArray[np.generic]) -> float | None:
    """Sum over distinct scores, from the top, of precision times the recall gained there. None without frauds."""
    if not fraud.any():
        return None
    _, level, count = np.unique(score, return_inverse=True, return_counts=True)
    hits = np.bincount(level, weights=fraud, minlength=len(count))[::-1]
    precision = np.cumsum(hits) / np.cumsum(count[::-1])
    return float((precision * hits).sum() / hits.sum())


def card_precision(day: I64, customer: I64, fraud: NDArray[np.bool_], score: NDArray[np.generic], top: int = 100) -> float | None:
    """Mean over days of the share of compromised customers among each day's `top` by highest score.

    A customer found on one day is left out of later days. `top` divides even on a day with fewer customers. None without frauds.
    """
    if not fraud.any():
        return None
    found = np.zeros(0, np.int64)
    shares = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~np.isin(customer, found))
        customers, at = np.unique(customer[rows], return_inverse=True)
        highest = np.full(len(customers), -np.inf)
        np.maximum.at(highest, at, score[rows].astype(np.float64))
        compromised = np.bincount(at, weights=fraud[rows], minlength=len(customers)) > 0
        chosen = np.argsort(-highest, kind="stable")[:top]
        caught = customers[chosen][compromised[chosen]]
        shares.append(len(caught) / top)
        found = np.concatenate([found, caught])
    return float(np.mean(shares))


def card_precision_most(day: I64, customer: I64, top: int = 100) -> float:
    """Mean over days of the day's customers, `top` at most, divided by `top`."""
    days = np.unique(np.stack([day, customer]), axis=1)[0]
    counts = np.unique(days, return_counts=True)[1]
    return float(np.minimum(counts, top).mean() / top) if len(counts) else 1.0


def rows_of_test_week(day: I64, customer: I64, fraud: NDArray[np.bool_], train_start: int) -> NDArray[np.bool_]:
    """Rows of the Handbook's test days, without customers already known to be compromised.

    Days are whole days since 1970. Known on test day d (from 0): a fraud in the training days, or on day
    training end + d' - 1 for any d' <= d, which is what labels DELAY_DAYS late would have told.
    """
    end = train_start + TRAIN_DAYS
    keep = np.zeros(len(day), np.bool_)
    known = np.unique(customer[(day >= train_start) & (day < end) & fraud])
    for d in range(TEST_DAYS):
        known = np.union1d(known, customer[(day == end + d - 1) & fraud])
        keep |= (day == end + DELAY_DAYS + d) & ~np.isin(customer, known)
    return keep


def measure(day: I64, customer: I64, fraud: NDArray[np.bool_], score: NDArray[np.generic], top: int = 100) -> Quality:
    """All metrics over the given rows."""
    return Quality(
        len(day),
        int(fraud.sum()),
        auc_roc(fraud, score),
        average_precision(fraud, score),
        card_precision(day, customer, fraud, score, top),
        card_precision_most(day, customer, top),
    )
