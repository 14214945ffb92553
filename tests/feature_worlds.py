"""Lane rows for tests of features: written one by one as plain values, turned into columns for the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from oracles.windows_reference import Fact, Label, Payment, ReferenceFeatures, Row

from assay.codecs.columns import Columns, Strings
from assay.tables.dedupe import SeenBatch, SeenIds
from assay.tables.feature_plan import FeaturePlan
from assay.tables.features import REFUSALS, FeatureBatch, FeatureTable
from assay.tables.row_kinds import CONTEXT, LABEL, PAYMENT

SECOND = 1_000_000
HORIZON_US, HORIZON_ROWS = 10**15, 10**6

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
    return columns | {f"entity.{name}": Strings.of([row.entities.get(name) for row in rows]) for name in entities}


class Folded(NamedTuple):
    """What a fold of many batches gave, put together, and the tables after it."""

    seen: SeenIds
    table: FeatureTable
    verdicts: list[int]
    subjects: list[int]
    batch: FeatureBatch


def fold_in_batches(
    plan: FeaturePlan,
    rows: Sequence[LaneRow],
    cuts: Sequence[int],
    horizon: tuple[int, int] = (HORIZON_US, HORIZON_ROWS),
    *,
    reclaim: bool = False,
) -> Folded:
    """Fold the rows, cut into batches at these places; with `reclaim`, slots of forgotten ids are free for others after each."""
    seen, table = SeenIds(*horizon), FeatureTable(plan)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(rows)}), len(rows)]
    met: list[SeenBatch] = []
    out: list[FeatureBatch] = []
    for start, stop in pairwise(edges):
        columns = lane_columns(rows[start:stop], plan.entities, start)
        met.append(seen.fold(columns))
        out.append(table.fold(columns, np.zeros(stop - start, np.bool_), met[-1]))
        if reclaim:
            table.take_dead(range(len(plan.entities)))
    whole = FeatureBatch(*(np.concatenate(parts) for parts in zip(*out, strict=True)))
    verdicts = [int(v) for batch in met for v in batch.verdicts]
    return Folded(seen, table, verdicts, [int(s) for batch in met for s in batch.subjects], whole)


def values_of(plan: FeaturePlan, batch: FeatureBatch, row: int) -> dict[str, int | float]:
    """Feature values of one row by name."""
    longs = dict(zip(plan.long_names, batch.longs[row].tolist(), strict=True))
    return longs | dict(zip(plan.double_names, batch.doubles[row].tolist(), strict=True))


def assert_equals_reference(plan: FeaturePlan, rows: Sequence[LaneRow], folded: Folded) -> None:
    """Compare every row with the pure-Python fold, value by value and refusal by refusal."""
    reference = ReferenceFeatures(plan.document)
    met: set[tuple[int, str]] = set()
    zeros = dict.fromkeys(plan.long_names, 0) | dict.fromkeys(plan.double_names, 0.0)
    for i, row in enumerate(rows):
        fresh = (row.kind, row.event_id) not in met
        met.add((row.kind, row.event_id))
        answer = reference.fold(_reference_row(row)) if fresh else None
        if isinstance(answer, str):
            refusal = REFUSALS[folded.batch.refusals[i]]
            assert refusal is not None
            assert refusal.value == answer, (i, row)
        else:
            assert folded.batch.refusals[i] == 0, (i, row)
        expected = answer if isinstance(answer, dict) else zeros
        assert values_of(plan, folded.batch, i) == expected, (i, row)


def _reference_row(row: LaneRow) -> Row:
    if row.kind == LABEL:
        return Label(str(row.subject), row.label == 1)
    if row.kind == CONTEXT:
        return Fact(row.ts_us, dict(row.entities))
    return Payment(row.event_id, row.ts_us, row.amount_minor, dict(row.entities))


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
