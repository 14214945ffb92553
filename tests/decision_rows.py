"""Rows with given feature values through the steps behind the features: posture, policy, scoring and decision fabric of the topology."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sample_decisions

from assay.agents.assembly import wired_steps
from assay.agents.batch import Batch, Context, Result, Views, WiredStep
from assay.agents.plans import Plans
from assay.agents.policy_revision import Chain
from assay.agents.rule_plan import compile_rules
from assay.agents.rule_scorer import RuleScorer
from assay.agents.topology import RTDL
from assay.codecs.columns import Columns, Strings, settled_columns
from assay.codecs.single_object import unpack
from assay.contracts.canonical import canonical
from assay.contracts.pins import Pins
from assay.contracts.posture import MASKS, Mode
from assay.tables.feature_plan import compile_plan
from assay.tables.row_kinds import PAYMENT, POSTURE

FEATURES = compile_plan(sample_decisions.FEATURES)
DOCUMENT: dict[str, Any] = {
    "policy_id": "sample_rules",
    "revision": "7",
    "rules": [
        {"code": "MANY", "points": 30, "when": [{"feature": "count_1d", "ge": 3}]},
        {"code": "LARGE", "points": 40, "when": [{"feature": "amount_minor", "gt": {"times": 2, "feature": "mean_1d"}}]},
        {"code": "NIGHT", "points": 20, "when": [{"feature": "is_night", "eq": 1}]},
    ],
    "thresholds": {"STEP_UP": 30, "QUEUE_REVIEW": 60, "DECLINE": 90},
}
RULES = compile_rules(DOCUMENT, FEATURES)
PINS = Pins("platform_20260101T000000Z", "0" * 32, "1" * 64, "2" * 64, "sample", 7)
CONTEXT = Context(0, 2, 11, 1_700_000_000_000_000, [("FP_BUS_TRAFFIC_FRAUD_V1", 0, 42)], 0)
#: in the order of the lane
STEPS = ("posture", "policy", "scoring", "decision_fabric")


def plans() -> Plans:
    """A run under the sample's features and rules."""
    return Plans(
        ordering="arrival",
        pins=PINS,
        features=FEATURES,
        policy=RULES.policy,
        scorer=RuleScorer(RULES),
        bundle_id="rules",
        bundle_version="1",
        run_config_digest=b"\x05" * 32,
        horizon_us=1,
        horizon_rows=1,
        changelog_interval_us=1,
        partitions=dict.fromkeys(RTDL.written_topics(), 3),
    )


def steps(given: Plans | None = None) -> list[WiredStep]:
    """The four steps, without state."""
    return [wired for wired in wired_steps(RTDL, given or plans()) if wired.name in STEPS]


def begun_with(run: Plans) -> Views:
    """What later steps view of the policy of a run that nobody has changed."""
    return {"policy": lambda: {0: Chain.of(run).in_force}}


def posture(seq: int, mode: Mode) -> dict[str, Any]:
    """A row that is a posture record; `mode` and `seq` are for a test's own reading of it."""
    record = {"mode": mode.value, "posture_seq": seq, "policy_rev": "r1", "reason": "", **MASKS[mode].as_json()}
    return {"kind": POSTURE, "document": canonical(record).decode(), "mode": mode, "seq": seq}


def batch(rows: Sequence[dict[str, Any]], first: int = 0, entities: Sequence[str] = FEATURES.entities) -> Batch:
    """A batch of rows that are given as mappings with defaults; `first` is the offset of the first one."""
    n = len(rows)
    columns: Columns = {
        "kind": np.array([r.get("kind", PAYMENT) for r in rows], np.int8),
        "ts_us": np.array([r.get("ts_us", 10 + first + i) for i, r in enumerate(rows)], np.int64),
        "partition": np.zeros(n, np.int32),
        "offset": np.arange(first, first + n, dtype=np.int64),
        "event_id": Strings.of([r.get("event_id", f"e{first + i}") for i, r in enumerate(rows)]),
        "event_type": Strings.of(["transaction"] * n),
        "currency": Strings.of([r.get("currency", "EUR") for r in rows]),
        **{f"entity.{name}": Strings.of([r.get("entities", {}).get(name) for r in rows]) for name in entities},
        "amount_minor": np.array([r.get("amount", 100) for r in rows], np.int64),
        "document": Strings.of([r.get("document") for r in rows]),
        "policy.seq": np.zeros(n, np.int64),
        "features.longs": np.array([[r.get("count", 1), r.get("night", 0)] for r in rows], np.int64).reshape(n, 2),
        "features.doubles": np.array([[r.get("mean", 100.0)] for r in rows], np.float64).reshape(n, 1),
    }
    return Batch(settled_columns(columns), np.array([r.get("live", True) for r in rows], np.bool_), CONTEXT)


def handled(under_test: Sequence[WiredStep], given: Batch) -> tuple[Columns, Result]:
    """All columns after the steps, and the result of the last one. Each step gets the columns that it declares."""
    columns = dict(given.columns)
    result = Result()
    for wired in under_test:
        result = wired.step.handle(given._replace(columns={name: columns[name] for name in wired.takes}))
        assert result.columns.keys() == set(wired.writes)
        columns |= settled_columns(result.columns)
    return columns, result


def decided(under_test: Sequence[WiredStep], rows: Sequence[dict[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    """The decision records of a batch of rows, in order."""
    emissions = handled(under_test, batch(rows, first))[1].emissions
    values = [value or b"" for emission in emissions for value in emission.values.tolist()]
    return [unpack(value)[1] for value in values]
