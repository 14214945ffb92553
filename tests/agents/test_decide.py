"""The decision step inside a lane's batch."""

from __future__ import annotations

import numpy as np

from assay.agents.batch import Batch, Context
from assay.agents.decide import DecideStep
from assay.agents.plans import Plans
from assay.agents.rule_plan import compile_rules
from assay.codecs.columns import Columns, Strings
from assay.contracts.pins import Pins
from assay.tables.decisions import RecentDecisions
from assay.tables.feature_plan import compile_plan
from assay.tables.row_kinds import PAYMENT

PLAN = compile_plan(
    {
        "feature_set": "s",
        "revision": "1",
        "entities": ["customer"],
        "label_entities": [],
        "features": [{"name": "is_night", "op": "night", "to_hour": 6}, {"name": "is_weekend", "op": "weekend"}],
    }
)
RULES = compile_rules(
    {
        "policy_id": "p",
        "revision": "1",
        "rules": [{"code": "LARGE", "points": 50, "when": [{"feature": "amount_minor", "gt": 100}]}],
        "thresholds": {"DECLINE": 50},
    },
    PLAN,
)


def plans() -> Plans:
    pins = Pins("platform_20260101T000000Z", "0" * 32, "1" * 64, "2" * 64, "sample", 7)
    return Plans(
        ordering="arrival",
        pins=pins,
        features=PLAN,
        rules=RULES,
        bundle_id="rules",
        bundle_version="1",
        run_config_digest=bytes(32),
        horizon_us=1,
        horizon_rows=1,
        changelog_interval_us=1,
        partitions={"FP_BUS_RTDL_V1": 3},
    )


def batch(ids: list[str], amounts: list[int]) -> Batch:
    n = len(ids)
    columns: Columns = {
        "kind": np.full(n, PAYMENT, np.int8),
        "ts_us": np.arange(n, dtype=np.int64),
        "partition": np.zeros(n, np.int32),
        "offset": np.arange(n, dtype=np.int64),
        "event_id": Strings.of(ids),
        "event_type": Strings.of(["transaction"] * n),
        "amount_minor": np.array(amounts, np.int64),
        "document": Strings.of([None] * n),
    }
    columns |= {"features.longs": np.zeros((n, 2), np.int64), "features.doubles": np.zeros((n, 0))}
    return Batch(columns, np.ones(n, np.bool_), Context(0, 1, 0, 5, [], 0))


def test_decisions_go_to_the_partition_of_their_event_and_stay_readable() -> None:
    step = DecideStep(plans(), {})
    (emission,) = step.handle(batch(["a", "b"], [100, 101])).emissions
    assert emission.handle == "FP_BUS_RTDL_V1"
    assert emission.keys.tolist() == [b"a", b"b"]
    assert set(emission.partitions.tolist()) <= {0, 1, 2}
    row = step.tables()["decisions"].row("b")
    assert row is not None
    assert (row["outcome"], row["score"], row["features"]) == ("DECLINE", 50, {"is_night": 0, "is_weekend": 0})
    assert row["decision_id"] == row["decision_id"].lower()
    assert step.tables()["decisions"].row("c") is None


def test_a_batch_without_payments_emits_nothing() -> None:
    (emission,) = DecideStep(plans(), {}).handle(batch([], [])).emissions
    assert len(emission.partitions) == 0


def test_batches_without_a_decision_are_not_kept() -> None:
    recent = RecentDecisions(PLAN, rows_max=3)
    for _ in range(10):
        recent.add(Strings.of([]), Strings.of([]))
    assert len(recent._batches) == 0


def test_recent_decisions_let_go_of_the_oldest() -> None:
    step = DecideStep(plans(), {})
    (emission,) = step.handle(batch(["a", "b"], [1, 2])).emissions
    recent = RecentDecisions(PLAN, rows_max=3)
    recent.add(emission.keys, emission.values)
    recent.add(Strings.of(["c", "d"]), emission.values)
    assert recent.row("a") is None
    assert recent.row("d") is not None
