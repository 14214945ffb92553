"""Decisions and labels as frames: one row per decision with named features, one row per label.

A label stands in a frame of its own, because it came after the decision: whoever joins both sees from when on it was known.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from assay.app.report.avro_frame import AvroFrame
from assay.codecs.avro_decode import decode
from assay.codecs.column_match import same_bytes
from assay.codecs.columns import Column, Columns, Ragged, Strings, take
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.tables.feature_plan import FeaturePlan
from assay.tables.row_kinds import LABEL

_TIME: Final = pl.Datetime("us", "UTC")
_HASH16, _HASH32 = ({"type": "fixed", "name": f"bytes{size}", "size": size} for size in (16, 32))
#: column → field of a decision, and its Avro type. None begins as those that are named by the document: `entity_`, `feature_`
_PLAIN: Final[dict[str, tuple[str, Any]]] = {
    "event_id": ("source_event.event_id", "string"),
    "event_type": ("source_event.event_type", "string"),
    "ts_utc": ("source_event.ts_utc", "long"),
    "amount_minor": ("amount_minor", "long"),
    "currency": ("currency", "string"),
    "outcome": ("outcome", "string"),
    "score": ("score", "long"),
    "reasons": ("reasons", {"type": "array", "items": "string"}),
    "decided_at_utc": ("decided_at_utc", "long"),
    "policy_id": ("policy.policy_id", "string"),
    "policy_revision": ("policy.revision", "string"),
    "policy_digest": ("policy.content_digest", _HASH32),
    "features_document": ("feature_set.policy_id", "string"),
    "features_revision": ("feature_set.revision", "string"),
    "posture": ("posture.mode", "string"),
    "decision_id": ("decision_id", _HASH16),
    "source_topic": ("source_event.topic", "string"),
    "source_partition": ("source_event.partition", "int"),
    "source_offset": ("source_event.offset", "long"),
    "journal_sequence": ("basis.sequence", "long"),
    "journal_row": ("row", "int"),
}
_BESIDE: Final = ("entities", "features.longs", "features.doubles")
_FIELDS: Final = frozenset((*(field for field, _ in _PLAIN.values()), *_BESIDE))
_TEXT_OR_NONE: Final = ["null", "string"]
_LABELS: Final = AvroFrame({
    "event_id": "string", "label_told_later": "string", "label_known_from_utc": "long", "label_event_id": "string",
    "journal_sequence": "long",
})  # fmt: skip


class DecisionFrames:
    """Frames of decisions under one feature document: columns `entity_NAME` and `feature_NAME` beside those of every decision."""

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        named = {f"entity_{name}": _TEXT_OR_NONE for name in plan.entities}
        longs = {f"feature_{name}": "long" for name in plan.long_names}
        doubles = {f"feature_{name}": "double" for name in plan.double_names}
        plain = {name: kind for name, (_, kind) in _PLAIN.items()}
        self.columns = (*plain, *named, *(f"feature_{feature.name}" for feature in plan.document.features))
        self._frame = AvroFrame({**plain, **named, **longs, **doubles})

    def of(self, values: Strings) -> pl.DataFrame:
        """One row per decision_response value, in their order."""
        read = decode(plan_of("decision_response", _FIELDS), values.data, values.starts, values.lengths, HEADER_BYTES).columns
        n, columns = len(values.lengths), {name: read[field] for name, (field, _) in _PLAIN.items()}
        columns |= {f"entity_{name}": ids_of(read["entities"], name, n) for name in self._plan.entities}
        for field, names in (("longs", self._plan.long_names), ("doubles", self._plan.double_names)):
            listed = read[f"features.{field}"]
            assert isinstance(listed, Ragged)
            matrix = np.asarray(listed.children["item"]).reshape(n, len(names))
            columns |= {f"feature_{name}": matrix[:, number] for number, name in enumerate(names)}
        return self._frame.of(columns).select(self.columns).with_columns(
            pl.col("ts_utc", "decided_at_utc").cast(_TIME), pl.col("decision_id", "policy_digest").bin.encode("hex")
        )  # fmt: skip


def ids_of(entities: Column, name: str, n: int) -> Strings:
    """The ids of n maps under one name, null where a map has none."""
    assert isinstance(entities, Ragged)
    names, ids = entities.children["key"], entities.children["value"]
    assert isinstance(names, Strings)
    assert isinstance(ids, Strings)
    wanted = name.encode()
    items = np.flatnonzero((names.lengths == len(wanted)) & same_bytes(names.data, names.starts, np.frombuffer(wanted, np.uint8)))
    owners = np.repeat(np.arange(n), np.diff(entities.offsets))[items]
    starts, lengths = np.zeros(n, np.int64), np.full(n, -1, np.int32)
    starts[owners], lengths[owners] = ids.starts[items], ids.lengths[items]
    return Strings(ids.data, starts, lengths)


def label_frame(columns: Columns, sequence: int) -> pl.DataFrame:
    """The labels among the rows of a journal record, as its columns have them."""
    mine = take(columns, np.flatnonzero(np.equal(np.asarray(columns["kind"]), LABEL)))
    n = len(np.asarray(mine["kind"]))
    told = Strings.of(["LEGIT", "FRAUD"]).take(np.asarray(mine["label"]).astype(np.int64))
    return _labels({
        "event_id": mine["subject_event_id"], "label_told_later": told, "label_known_from_utc": mine["ts_us"],
        "label_event_id": mine["event_id"], "journal_sequence": np.full(n, sequence, np.int64),
    })  # fmt: skip


def no_labels() -> pl.DataFrame:
    """A frame of labels without rows."""
    texts = dict.fromkeys(("event_id", "label_told_later", "label_event_id"), Strings.of([]))
    return _labels({**texts, **dict.fromkeys(("label_known_from_utc", "journal_sequence"), np.zeros(0, np.int64))})


def _labels(columns: Columns) -> pl.DataFrame:
    return _LABELS.of(columns).with_columns(pl.col("label_known_from_utc").cast(_TIME))
