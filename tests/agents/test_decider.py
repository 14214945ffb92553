"""Decisions: what the record says, under which posture, and that a cut into batches changes nothing."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sample_decisions
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row
from states import read_back, written

from assay.agents.decider import Decider, Decisions
from assay.agents.rule_plan import compile_rules
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, Ragged, Strings, take
from assay.codecs.single_object import record_type, unpack
from assay.contracts import ids
from assay.contracts.canonical import canonical
from assay.contracts.outcomes import POSTURE_CLAMPED, POSTURE_MISSING
from assay.contracts.pins import Pins
from assay.contracts.posture import MASKS, Mode
from assay.tables.feature_document import parse_document
from assay.tables.posture import FAIL_SAFE_POSTURE, Posture
from assay.tables.row_kinds import LABEL, PAYMENT, POSTURE

FEATURES = parse_document(sample_decisions.FEATURES)
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
STAMP = SimpleNamespace(shard=0, epoch=2, sequence=11, wall_us=1_700_000_000_000_000, offsets=[("FP_BUS_TRAFFIC_FRAUD_V1", 0, 42)])


def step() -> Decider:
    return Decider(RULES, FEATURES, PINS, ("rules", "1"), b"\x05" * 32)


def posture(seq: int, mode: Mode) -> str:
    return canonical({"mode": mode.value, "posture_seq": seq, "policy_rev": "r1", "reason": "", **MASKS[mode].as_json()}).decode()


def batch(rows: list[dict[str, Any]]) -> tuple[Columns, Any, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Columns, feature values and live flags of rows given as mappings with defaults."""
    columns: Columns = {
        "kind": np.array([r.get("kind", PAYMENT) for r in rows], np.int8),
        "ts_us": np.array([r.get("ts_us", 10 + i) for i, r in enumerate(rows)], np.int64),
        "topic": np.zeros(len(rows), np.int16),
        "partition": np.zeros(len(rows), np.int32),
        "offset": np.arange(len(rows), dtype=np.int64),
        "event_id": Strings.of([r.get("event_id", f"e{i}") for i, r in enumerate(rows)]),
        "event_type": Strings.of(["transaction"] * len(rows)),
        "amount_minor": np.array([r.get("amount", 100) for r in rows], np.int64),
        "document": Strings.of([r.get("document") for r in rows]),
    }
    longs = np.array([[r.get("count", 1), r.get("night", 0)] for r in rows], np.int64).reshape(len(rows), 2)
    doubles = np.array([[r.get("mean", 100.0)] for r in rows], np.float64).reshape(len(rows), 1)
    return columns, SimpleNamespace(longs=longs, doubles=doubles), np.array([r.get("live", True) for r in rows], np.bool_)


def decide(under_test: Decider, rows: list[dict[str, Any]]) -> Decisions:
    return under_test.decide(*batch(rows), STAMP)


def records(decisions: Decisions) -> list[dict[str, Any]]:
    found = []
    for value in decisions.values.tolist():
        assert value is not None
        name, record = unpack(value)
        assert name == "decision_response"
        found.append(record)
    return found


NORMAL = {"kind": POSTURE, "document": posture(1, Mode.NORMAL)}


def test_a_decision_says_what_it_was_computed_from() -> None:
    rows = [NORMAL, {"event_id": "pay-1", "count": 5, "amount": 900, "night": 1, "ts_us": 77}]
    decisions = decide(step(), rows)
    (record,) = records(decisions)
    assert (record["outcome"], record["score"], record["reasons"]) == ("DECLINE", 90, ["MANY", "LARGE", "NIGHT"])
    assert record["features"] == {"longs": [5, 1], "doubles": [100.0]}
    assert record["source_event"]["event_id"] == "pay-1"
    assert record["source_event"]["topic"] == "FP_BUS_TRAFFIC_FRAUD_V1"
    assert (record["source_event"]["offset"], record["row"]) == (1, 1)
    assert record["posture"] == {"mode": "NORMAL", "posture_seq": 1, "policy_rev": "r1", "trust": "TRUSTED"}
    assert record["policy"] == {"policy_id": "sample_rules", "revision": "7", "content_digest": RULES.digest}
    assert record["feature_set"] == {"policy_id": "sample", "revision": "1", "content_digest": FEATURES.digest}
    assert record["pins"] == PINS.as_avro()
    offsets = [{"topic": "FP_BUS_TRAFFIC_FRAUD_V1", "partition": 0, "next_offset": 42}]
    assert record["basis"] == {"shard": 0, "epoch": 2, "sequence": 11, "offsets": offsets}
    assert decisions.keys.tolist() == [b"pay-1"]


def test_ids_follow_the_recipes_and_know_no_offset() -> None:
    (record,) = records(decide(step(), [NORMAL, {"event_id": "pay-1"}]))
    (moved,) = records(decide(step(), [NORMAL, {"kind": LABEL}, {"event_id": "pay-1"}]))
    assert record["source_event"]["offset"] != moved["source_event"]["offset"]
    for found in (record, moved):
        assert found["decision_id"] == ids.decision_id(PINS.digest, RULES.digest, "pay-1")
        key = ids.idempotency_key(PINS.digest, "pay-1")
        assert found["intent"] == {"action_id": ids.action_id(key, "ALLOW"), "action_kind": "ALLOW", "idempotency_key": key}


def test_the_snapshot_hash_covers_feature_set_and_values() -> None:
    (record,) = records(decide(step(), [NORMAL, {"count": 4, "mean": 12.5}]))
    schema = next(f["type"] for f in record_type("decision_response").schema["fields"] if f["name"] == "features")
    one = np.array([0, 2], np.int64), np.array([0, 1], np.int64)
    values: Columns = {"longs": Ragged(one[0], {"item": np.array([4, 0], np.int64)}), "doubles": Ragged(one[1], {"item": np.array([12.5])})}
    body = encode(compile_schema(schema), values).row(0)
    assert body is not None
    assert record["snapshot_hash"] == hashlib.sha256(FEATURES.digest + body).digest()


def test_without_a_posture_the_fail_safe_is_in_force() -> None:
    calm, bad = records(decide(step(), [{}, {"count": 5, "amount": 900}]))
    assert (calm["outcome"], calm["reasons"]) == ("STEP_UP", [POSTURE_MISSING, POSTURE_CLAMPED])
    assert (bad["outcome"], bad["reasons"]) == ("QUEUE_REVIEW", ["MANY", "LARGE", POSTURE_MISSING])
    assert calm["posture"] == {"mode": "FAIL_CLOSED", "posture_seq": 0, "policy_rev": "", "trust": "MISSING"}


def test_a_step_up_only_posture_clamps_allow_and_nothing_else() -> None:
    degraded = {"kind": POSTURE, "document": posture(2, Mode.DEGRADED_1)}
    calm, bad = records(decide(step(), [degraded, {}, {"count": 5, "amount": 900}]))
    assert (calm["outcome"], calm["score"], calm["reasons"]) == ("STEP_UP", 0, [POSTURE_CLAMPED])
    assert calm["intent"]["action_kind"] == "STEP_UP"
    assert (bad["outcome"], bad["reasons"]) == ("QUEUE_REVIEW", ["MANY", "LARGE"])


def test_rows_after_a_posture_record_use_it_and_rows_before_do_not() -> None:
    rows = [
        NORMAL,
        {},
        {"kind": POSTURE, "document": posture(2, Mode.DEGRADED_2)},
        {},
        {"kind": POSTURE, "document": posture(3, Mode.NORMAL)},
        {},
    ]
    assert [(r["posture"]["posture_seq"], r["outcome"]) for r in records(decide(step(), rows))] == [
        (1, "ALLOW"),
        (2, "STEP_UP"),
        (3, "ALLOW"),
    ]


@pytest.mark.parametrize("seq", [4, 5])
def test_a_posture_that_is_not_newer_changes_nothing(seq: int) -> None:
    rows = [{"kind": POSTURE, "document": posture(5, Mode.DEGRADED_2)}, {"kind": POSTURE, "document": posture(seq, Mode.NORMAL)}, {}]
    (record,) = records(decide(step(), rows))
    assert record["posture"]["mode"] == "DEGRADED_2"


def test_only_live_payments_are_decided() -> None:
    decisions = decide(step(), [NORMAL, {"live": False}, {"kind": LABEL}, {}])
    assert decisions.rows.tolist() == [3]
    assert decide(step(), []).values.tolist() == []


def test_posture_survives_writing_and_reading_the_state() -> None:
    first, second = step(), step()
    assert Posture.from_state(read_back(FAIL_SAFE_POSTURE)) == FAIL_SAFE_POSTURE
    decide(first, [NORMAL])
    second.restore(read_back(first))
    assert second.posture == first.posture
    assert written(second) == written(first)


PAYMENTS = st.fixed_dictionaries(
    {
        "count": st.integers(0, 5),
        "amount": st.integers(0, 300),
        "mean": st.sampled_from([0.0, 50.0, 120.5]),
        "night": st.integers(0, 1),
        "live": st.booleans(),
    }
)
CHANGES = st.builds(lambda seq, mode: {"kind": POSTURE, "document": posture(seq, mode)}, st.integers(0, 6), st.sampled_from(list(Mode)))


@settings(max_examples=40, deadline=None)
@given(st.lists(PAYMENTS | CHANGES, max_size=14), st.integers(0, 14))
def test_any_cut_gives_the_same_decisions_and_each_equals_the_document_read_alone(rows: list[dict[str, Any]], cut: int) -> None:
    columns, features, live = batch(rows)
    whole_step, cut_step = step(), step()
    whole = records(whole_step.decide(columns, features, live, STAMP))
    parts = []
    for at in (np.arange(min(cut, len(rows))), np.arange(min(cut, len(rows)), len(rows))):
        part = SimpleNamespace(longs=features.longs[at], doubles=features.doubles[at])
        parts += records(cut_step.decide(take(columns, at), part, live[at], STAMP))
    for record in [*whole, *parts]:
        del record["row"]
    assert parts == whole
    assert written(cut_step) == written(whole_step)
    decided = [r for r in rows if r.get("kind") is None and r["live"]]
    for record, row in zip(whole, decided, strict=True):
        values = {"count_1d": row["count"], "is_night": row["night"], "mean_1d": row["mean"], "amount_minor": row["amount"]}
        score, outcome, codes = score_row(DOCUMENT, values)
        assert record["score"] == score
        assert [code for code in record["reasons"] if code in RULES.codes] == codes
        assert record["outcome"] == ("STEP_UP" if POSTURE_CLAMPED in record["reasons"] else outcome)


@pytest.mark.parametrize("name", ["handbook", "transfers", "workload_w"])
def test_shipped_rules_use_only_features_their_document_defines(name: str) -> None:
    folder = resources.files("assay.contracts").joinpath("policies", name)
    features = parse_document(yaml.safe_load(folder.joinpath("features.yaml").read_text()))
    rules = compile_rules(yaml.safe_load(folder.joinpath("rules.yaml").read_text()), features)
    assert len(rules.digest) == 32
    assert json.dumps(rules.codes)
