"""Lane rows for tests of features: written one by one as plain values, turned into columns for the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from assay.codecs.columns import Columns, Strings, settled_columns
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT

SECOND = 1_000_000

#: every operation, shared rings, a ring of more than 64 buckets, delays, both sides of include_current
DOCUMENT: dict[str, Any] = {
    "feature_set": "small",
    "revision": "1",
    "entities": ["account", "merchant", "device"],
    "label_entities": ["account", "merchant"],
    "forget_after": "71s",
    "features": [
        {"name": "a_count", "entity": "account", "op": "count", "window": "30s", "resolution": "10s", "include_current": True},
        {"name": "a_sum", "entity": "account", "op": "sum", "value": "amount_minor", "window": "30s", "resolution": "10s"},
        {"name": "a_mean", "entity": "account", "op": "mean", "value": "amount_minor", "window": "50s", "resolution": "10s"},
        {"name": "a_z", "entity": "account", "op": "zscore", "value": "amount_minor", "window": "70s", "resolution": "1s"},
        {
            "name": "a_z_now",
            "entity": "account",
            "op": "zscore",
            "value": "amount_minor",
            "window": "40s",
            "resolution": "1s",
            "delay": "5s",
        },
        {"name": "a_merchants", "entity": "account", "op": "distinct", "of": "merchant", "window": "20s", "resolution": "10s"},
        {
            "name": "a_merchants_now",
            "entity": "account",
            "op": "distinct",
            "of": "merchant",
            "window": "4s",
            "resolution": "2s",
            "include_current": True,
        },
        {
            "name": "a_devices",
            "entity": "account",
            "op": "distinct",
            "of": "device",
            "window": "30s",
            "resolution": "10s",
            "include_current": True,
        },
        {"name": "a_since", "entity": "account", "op": "since_last", "unit": "ms"},
        {
            "name": "m_count",
            "entity": "merchant",
            "op": "count",
            "window": "20s",
            "resolution": "10s",
            "delay": "30s",
            "include_current": True,
        },
        {"name": "m_rate", "entity": "merchant", "op": "fraud_rate", "window": "40s", "resolution": "10s", "delay": "20s"},
        {"name": "m_frauds", "entity": "merchant", "op": "fraud_count", "window": "60s", "resolution": "10s", "include_current": True},
        {"name": "m_sum", "entity": "merchant", "op": "sum", "value": "amount_minor", "window": "6s", "resolution": "3s", "delay": "9s"},
        {"name": "a_frauds", "entity": "account", "op": "fraud_count", "window": "30s", "resolution": "5s", "delay": "10s"},
        {"name": "size", "op": "amount"},
        {"name": "at_night", "op": "night", "to_hour": 6},
        {"name": "at_weekend", "op": "weekend"},
    ],
}


class LaneRow(NamedTuple):
    """One row of a lane. `entities` maps a name to an id; absent or None is null."""

    kind: int
    event_id: str
    ts_us: int
    amount_minor: int = 0
    entities: Mapping[str, str | None] = MappingProxyType({})
    subject: str | None = None
    label: int = -1
    payload: int = 0


def pay(event_id: str, ts_us: int, amount_minor: int = 100, **entities: str | None) -> LaneRow:
    """A payment."""
    return LaneRow(PAYMENT, event_id, ts_us, amount_minor, entities)


def assertion(event_id: str, ts_us: int, subject: str, *, fraud: bool = True) -> LaneRow:
    """A label."""
    return LaneRow(LABEL, event_id, ts_us, subject=subject, label=int(fraud))


def fact(event_id: str, ts_us: int, **entities: str | None) -> LaneRow:
    """A context fact."""
    return LaneRow(CONTEXT, event_id, ts_us, entities=entities)


def lane_columns(rows: Sequence[LaneRow], entities: Sequence[str], first_offset: int = 0) -> Columns:
    """Lane columns of these rows."""
    n = len(rows)
    payload = np.zeros((n, 32), np.uint8)
    payload[:, 3] = [row.payload for row in rows]
    columns: Columns = {
        "kind": np.array([row.kind for row in rows], np.int8),
        "ts_us": np.array([row.ts_us for row in rows], np.int64),
        "topic": np.zeros(n, np.int16),
        "partition": np.zeros(n, np.int32),
        "offset": np.arange(n, dtype=np.int64) + first_offset,
        "event_id": Strings.of([row.event_id for row in rows]),
        "payload_hash": payload,
        "amount_minor": np.array([row.amount_minor for row in rows], np.int64),
        "subject_event_id": Strings.of([row.subject for row in rows]),
        "label": np.array([row.label for row in rows], np.int8),
    }
    columns |= {f"entity.{name}": Strings.of([row.entities.get(name) for row in rows]) for name in entities}
    return settled_columns(columns)


def random_rows(seed: int, count: int, spread: int = 1) -> list[LaneRow]:
    """A lane with late rows, equal times, gaps longer than any window, nulls, context facts, duplicates and labels that
    come late, twice, or speak of nothing. `spread` multiplies the number of ids."""
    rng = np.random.default_rng(seed)
    rows: list[LaneRow] = []
    now = 1_520_000_000 * SECOND
    for i in range(count):
        now += int(rng.choice([0, 0, 300_000, SECOND, 2 * SECOND, 11 * SECOND])) + (
            int(rng.integers(80, 400)) * SECOND if rng.random() < 0.01 else 0
        )
        ts = now - (int(rng.integers(0, 90)) * SECOND if rng.random() < 0.1 else 0)
        dice = rng.random()
        if rows and dice < 0.03:
            rows.append(rows[int(rng.integers(len(rows)))])
        elif rows and dice < 0.25:
            subject = rows[-min(len(rows), int(rng.integers(1, 40)))].event_id if rng.random() < 0.95 else "nobody"
            rows.append(assertion(f"l{i}", now, subject, fraud=bool(rng.random() < 0.9)))
        elif dice < 0.3:
            rows.append(fact(f"c{i}", ts, account=f"a{rng.integers(9)}"))
        else:
            amount = int(rng.choice([0, 5, 999, 12_345, 10**11 - 1, 10**11, -1], p=[0.1, 0.2, 0.3, 0.3, 0.08, 0.01, 0.01]))
            rows.append(
                pay(
                    f"p{i}",
                    ts,
                    amount,
                    account=_id("a", rng, 5 * spread),
                    merchant=_id("m", rng, 4 * spread),
                    device=_id("d", rng, 3 * spread),
                )
            )
    return rows


def _id(prefix: str, rng: np.random.Generator, count: int) -> str | None:
    return None if rng.random() < 0.1 else f"{prefix}{rng.integers(count)}"
