"""Frames labels as envelopes: JSON text built by column. A label of a world keeps its id in every run."""

from __future__ import annotations

import hashlib
import json

import polars as pl

from assay.app.streamer.envelopes import Framer, instant
from assay.contracts.pins import Pins

PRODUCER = "label_delivery"


class LabelFramer:
    """Envelopes of the labels of one run."""

    def __init__(self, pins: Pins, run_id: str) -> None:
        self._framer = Framer(pins, run_id, PRODUCER)
        self._world = f"{pins.manifest_fingerprint}|{pins.parameter_hash}|{pins.seed}|{pins.scenario_id}"

    def labels(self, frame: pl.DataFrame, source: str) -> pl.Series:
        """One envelope per row of known labels (see `known_labels.COLUMNS`), in their order. `source` is who says so."""
        told = frame["label"].replace_strict({1: "FRAUD", 0: "LEGIT"}, return_dtype=pl.String)
        ids = pl.Series("label_id", self.label_ids(frame["event_id"].to_list(), told.to_list()), pl.String)
        payload = pl.concat_str(
            pl.lit('{"subject_event_id":"'),
            "event_id",
            pl.lit('","subject_ts_utc":"'),
            instant("ts_us"),
            pl.lit('","label":"'),
            "told",
            pl.lit(f'","source":{json.dumps(source)}}}}}'),
        )
        framed = frame.with_columns(ids, told.alias("told"))
        envelope = self._framer.envelope("label_assertion", pl.col("label_id"), "observed_ts_us", payload)
        return framed.select(envelope.alias("envelope"))["envelope"]

    def label_ids(self, subjects: list[str], told: list[str]) -> list[str]:
        """sha256 hex of `label|subject|label|` and the world's pins: a world's label keeps its id in every run."""
        sha256, world = hashlib.sha256, self._world
        return [sha256(f"label|{subject}|{label}|{world}".encode()).hexdigest() for subject, label in zip(subjects, told, strict=True)]
