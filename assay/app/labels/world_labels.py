"""The labels of an imported world: its truth, told when its file says, or after the delay of the run."""

from __future__ import annotations

import polars as pl

from assay.app.labels.known_labels import COLUMNS, KnownLabels, in_order_known
from assay.app.oracle.sealed_world import SealedWorld
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def labels_of_world(world: SealedWorld, label_delay_us: int) -> KnownLabels:
    """The labels that a world tells a run. `label_delay_us`: when those without a time of their own are known, after their payment.

    Raises Stop(LABEL_NOT_AFTER_PAYMENT), Stop(OBJECT_MISSING, DIGEST_MISMATCH).
    """
    summary, manifest = world.manifest.truth_summary, world.manifest
    frame = _emitted(world, label_delay_us)
    last_us = int(frame["observed_ts_us"][-1]) if len(frame) else 0
    source = summary.source if summary else ""
    return KnownLabels(frame, source, world.root, manifest.min_ts_us, max(manifest.max_ts_us, last_us) + 1)


def _emitted(world: SealedWorld, label_delay_us: int) -> pl.DataFrame:
    summary = world.manifest.truth_summary
    if summary is None or not summary.emitted:
        return pl.DataFrame(schema=COLUMNS)
    if label_delay_us <= 0 and summary.delay_us is not None:
        what = f"the run's label delay is {label_delay_us} µs"
        raise Stop(Reason.LABEL_NOT_AFTER_PAYMENT, what, where="label_delay_us", remedy="Give the run a label delay above zero.")
    truth = world.truth().select("event_id", "ts_us", "label", "observed_ts_us")  # by time and order of the payments
    if summary.emit == "positive":
        truth = truth.filter(pl.col("label") == 1)
    return in_order_known(truth.with_columns(pl.col("observed_ts_us").fill_null(pl.col("ts_us") + label_delay_us)))
