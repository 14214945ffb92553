"""The window fold in plain Python: what the kernel must equal, written for reading and sharing none of its layout.

Per key it keeps every bucket ever filled as a dictionary and answers a feature by adding up the buckets of its window.
A key that was idle for too long when it is met is another key.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from assay.contracts.limits import AMOUNT_MINOR_END
from assay.tables.feature_document import ROW_OPS, Feature, FeatureDocument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Payment(NamedTuple):
    """A payment as the reference sees it; `entities` maps a name to an id or None."""

    event_id: str
    ts_us: int
    amount_minor: int
    entities: dict[str, str | None]


class Fact(NamedTuple):
    """A context fact: ids that are known to be in use."""

    ts_us: int
    entities: dict[str, str | None]


class Label(NamedTuple):
    """A label for the payment with this id."""

    subject_event_id: str
    is_fraud: bool


@dataclass
class _Bucket:
    amounts: list[int] = field(default_factory=list)
    frauds: int = 0
    members: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))


@dataclass
class _Key:
    met_us: int
    latest_us: int | None = None
    #: resolution → bucket number → what is in it
    buckets: dict[int, dict[int, _Bucket]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(_Bucket)))


Row = Payment | Fact | Label
Values = dict[str, int | float]
#: answers of the reference that stand for a refusal
UNKNOWN_SUBJECT: Final = "LABEL_SUBJECT_UNKNOWN"
BAD_AMOUNT: Final = "AMOUNT_OUT_OF_RANGE"


class ReferenceFeatures:
    """Folds one row at a time. Overflow is not modelled: Python integers have none."""

    def __init__(self, document: FeatureDocument) -> None:
        self.document = document
        self._clock_us = -(2**62)
        self._keys: dict[tuple[str, str], _Key] = {}
        #: time and keys of each payment
        self._payments: dict[str, tuple[int, dict[str, _Key]]] = {}
        self._frauds: set[str] = set()
        self._resolutions = {
            entity: {f.resolution_us for f in document.features if f.entity == entity and f.window_buckets} for entity in document.entities
        }

    def fold(self, row: Row) -> Values | str | None:
        """Values of a payment, None for what is folded without any, or the reason of a refusal."""
        if isinstance(row, Label):
            return self._fold_label(row)
        if isinstance(row, Fact):
            self._meet(row.ts_us, row.entities)
            return None
        if not 0 <= row.amount_minor < AMOUNT_MINOR_END:
            return BAD_AMOUNT
        keys = self._meet(row.ts_us, row.entities)
        self._payments[row.event_id] = row.ts_us, keys
        since = {name: -1 if key.latest_us is None else max(0, row.ts_us - key.latest_us) for name, key in keys.items()}
        for key in keys.values():
            key.latest_us = row.ts_us if key.latest_us is None else max(key.latest_us, row.ts_us)
        before = {f.name: _value(f, row, keys, since) for f in self.document.features if not f.include_current}
        for name, key in keys.items():
            self._add(name, keys, key, row)
        after = {f.name: _value(f, row, keys, since) for f in self.document.features if f.include_current}
        return before | after

    def _meet(self, ts_us: int, entities: dict[str, str | None]) -> dict[str, _Key]:
        """Keys of a row, by entity; those that were idle are new ones."""
        self._clock_us = max(self._clock_us, ts_us)
        keys: dict[str, _Key] = {}
        for name in self.document.entities:
            if (id_ := entities.get(name)) is not None:
                key = self._keys.get((name, id_))
                if key is None or self._clock_us - key.met_us > self.document.idle_us:
                    key = _Key(self._clock_us)
                key.met_us = self._clock_us
                keys[name] = self._keys[name, id_] = key
        return keys

    def _fold_label(self, row: Label) -> str | None:
        if row.subject_event_id not in self._payments:
            return UNKNOWN_SUBJECT
        ts_us, keys = self._payments[row.subject_event_id]
        if row.is_fraud and row.subject_event_id not in self._frauds:
            self._frauds.add(row.subject_event_id)
            for name in self.document.label_entities:
                for resolution in self._resolutions[name] if name in keys else ():
                    keys[name].buckets[resolution][ts_us // resolution].frauds += 1
        return None

    def _add(self, name: str, keys: dict[str, _Key], key: _Key, row: Payment) -> None:
        for resolution in self._resolutions[name]:
            bucket = key.buckets[resolution][row.ts_us // resolution]
            bucket.amounts.append(row.amount_minor)
            for other, member in keys.items():
                bucket.members[other].add(id(member))


_EMPTY: Final = (0, 0.0)


def _value(feature: Feature, row: Payment, keys: dict[str, _Key], since: dict[str, int]) -> int | float:
    if feature.op in ROW_OPS:
        return _row_value(feature, row)
    if feature.op == "since_last":
        elapsed_us = since.get(feature.entity, -1)
        return elapsed_us if elapsed_us < 0 else elapsed_us // feature.unit_us
    key = keys.get(feature.entity)
    return _window_value(feature, row.amount_minor, _window(feature, key)) if key else _EMPTY[feature.is_double]


def _window(feature: Feature, key: _Key) -> list[_Bucket]:
    """The buckets a feature reads, at the key's current bucket."""
    assert key.latest_us is not None
    newest = key.latest_us // feature.resolution_us - feature.delay_buckets
    held = key.buckets[feature.resolution_us]
    return [held[b] for b in list(held) if newest - feature.window_buckets < b <= newest]


def _window_value(feature: Feature, amount: int, window: list[_Bucket]) -> int | float:
    amounts = [held for bucket in window for held in bucket.amounts]
    frauds = sum(bucket.frauds for bucket in window)
    if not feature.is_double:
        members = {id_ for bucket in window for id_ in bucket.members[feature.of]}
        return {"count": len(amounts), "sum": sum(amounts), "fraud_count": frauds, "distinct": len(members)}[feature.op]
    if not amounts:
        return 0.0
    if feature.op == "fraud_rate":
        return float(frauds) / float(len(amounts))
    return _zscore(amount, amounts) if feature.op == "zscore" else float(sum(amounts)) / float(len(amounts))


def _zscore(amount: int, amounts: list[int]) -> float:
    count, total = len(amounts), sum(amounts)
    spread = count * sum(held * held for held in amounts) - total * total
    return float(count * amount - total) / math.sqrt(float(spread)) if spread else 0.0


def _row_value(feature: Feature, row: Payment) -> int:
    if feature.op == "amount":
        return row.amount_minor
    at = _EPOCH + timedelta(microseconds=row.ts_us)
    return int(at.hour <= feature.to_hour) if feature.op == "night" else int(at.isoweekday() >= 6)
