"""How hard the fraud of a world is to find: trees on raw columns, a merchant's hash alone, and boosted trees on the lane's features.

scikit-learn is asked for only here; `pip install assay[realism]` brings it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.app.world.corridors import Corridors, Measure
from assay.app.world.lane_features import lane_features

F64 = NDArray[np.float64]
FALSE_POSITIVES = 0.001
HASH_BUCKETS = 128
#: the first part of time trains, the rest judges
TRAINED = 0.6
_DAY_US, _HOUR_US = 86_400_000_000, 3_600_000_000


def difficulty(payments: pl.DataFrame, corridors: Corridors) -> Iterator[Measure]:
    """The measures of group difficulty in `corridors.yaml`, of rows of `write_payments`. Needs scikit-learn: see `is_measurable`."""
    truth = (payments["fraud_label"] != "LEGIT").to_numpy()
    later = np.arange(len(payments)) >= int(len(payments) * TRAINED)
    _, values = lane_features(payments)
    lift = boosted_lift(values, truth, later)
    shuffled = boosted_lift(values, np.random.Generator(np.random.PCG64(1)).permutation(truth), later)
    found = {
        "stump_recall": stump_recall(raw_columns(payments), truth),
        "merchant_hash_lift": merchant_lift(payments["merchant_id"].to_list(), truth, later),
        "features_lift": lift,
        "shuffled_lift": shuffled,
    }
    for name, value in found.items():
        yield Measure("difficulty", name, value, *corridors.of("difficulty", name))


def raw_columns(payments: pl.DataFrame) -> F64:
    """What a live event says, as numbers: ids, amount, hour and day, and whether there is a counterparty."""
    ids = ("flow_id", "merchant_id", "party_id", "account_id", "instrument_id", "device_id", "ip_id", "counterparty_account_id")
    columns = payments.select(
        *(pl.col(name).cast(pl.Float64).fill_null(-1) for name in ids),
        pl.col("amount").cast(pl.Float64),
        (pl.col("ts_us") % _DAY_US // _HOUR_US).alias("hour").cast(pl.Float64),
        (pl.col("ts_us") // _DAY_US % 7).alias("day").cast(pl.Float64),
        ((pl.col("amount") * 100).cast(pl.Int64) % 100).alias("cents").cast(pl.Float64),
        pl.col("channel").rank("dense").alias("channel_code").cast(pl.Float64),
    )
    return columns.to_numpy()


def stump_recall(columns: F64, truth: NDArray[np.bool_]) -> float:
    """The share of fraud that the best of several trees of depth 2 catches at 0.1 % false positives, on the rows that it learned from."""
    from sklearn.tree import DecisionTreeClassifier

    best = 0.0
    for criterion in ("gini", "entropy"):
        for weight in (None, "balanced"):
            tree: Any = DecisionTreeClassifier(max_depth=2, criterion=criterion, class_weight=weight, min_samples_leaf=5, random_state=1)
            leaves = tree.fit(columns, truth).apply(columns)
            best = max(best, _recall_of(leaves, truth))
    return best


def _recall_of(leaves: NDArray[Any], truth: NDArray[np.bool_]) -> float:
    """Leaves are taken by their share of fraud while false positives allow it."""
    taken = caught = 0.0
    groups = [(truth[leaves == leaf].mean(), leaf) for leaf in np.unique(leaves)]
    for _, leaf in sorted(groups, reverse=True):
        false = float((~truth[leaves == leaf]).sum())
        if taken + false > FALSE_POSITIVES * float((~truth).sum()):
            break
        taken, caught = taken + false, caught + float(truth[leaves == leaf].sum())
    return caught / max(float(truth.sum()), 1.0)


def merchant_lift(merchants: list[str], truth: NDArray[np.bool_], later: NDArray[np.bool_]) -> float:
    """Average precision of the fraud share of a merchant's hash bucket before, over the prevalence after."""
    bucket = {name: hashlib.sha256(name.encode()).digest()[0] % HASH_BUCKETS for name in {*merchants}}
    codes = np.array([bucket[name] for name in merchants])
    rows, frauds = (np.bincount(codes[~later], weights=w, minlength=HASH_BUCKETS) for w in (None, truth[~later].astype(float)))
    share = (frauds + truth[~later].mean()) / (rows + 1)
    return _lift(share[codes][later], truth[later])


def boosted_lift(values: F64, truth: NDArray[np.bool_], later: NDArray[np.bool_]) -> float:
    """Average precision over prevalence, on the later rows, of boosted trees that learned from the earlier ones."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model: Any = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.12, max_leaf_nodes=15, l2_regularization=1.0, random_state=1)
    model.fit(values[~later], truth[~later])
    return _lift(model.predict_proba(values[later])[:, 1], truth[later])


def _lift(scores: F64, truth: NDArray[np.bool_]) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, scores) / truth.mean())


def is_measurable() -> bool:
    """Whether scikit-learn is here."""
    return find_spec("sklearn") is not None
