"""Decisions: the fields of the record, under which posture, and that a cut into batches changes nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from importlib import resources
from typing import Any

import numpy as np
import pytest
import yaml
from decision_rows import CONTEXT, DOCUMENT, FEATURES, PINS, RULES, batch, decided, handled, plans, posture, steps
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row
from states import written

from assay.agents.decide import DecideStep
from assay.agents.rule_plan import compile_rules
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, Ragged, Strings
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import record_type
from assay.codecs.table_state import TableState
from assay.contracts import ids
from assay.contracts.errors import Stop
from assay.contracts.outcomes import POSTURE_CLAMPED, POSTURE_MISSING
from assay.contracts.posture import Mode
from assay.contracts.reasons import Reason
from assay.tables.decisions import RecentDecisions
from assay.tables.feature_document import parse_document
from assay.tables.row_kinds import LABEL

NORMAL = posture(1, Mode.NORMAL)


def test_a_decision_says_what_it_was_computed_from() -> None:
    (record,) = decided(steps(), [NORMAL, {"event_id": "pay-1", "count": 5, "amount": 900, "night": 1, "ts_us": 77}])
    assert (record["outcome"], record["score"], record["reasons"]) == ("DECLINE", 90, ["MANY", "LARGE", "NIGHT"])
    assert record["features"] == {"longs": [5, 1], "doubles": [100.0]}
    source = {"event_id": "pay-1", "event_type": "transaction", "ts_utc": 77, "partition": 0, "offset": 1}
    assert record["source_event"] == {**source, "topic": "fp.bus.traffic.fraud.v1"}
    assert (record["amount_minor"], record["currency"], record["entities"]) == (900, "EUR", {})
    assert record["row"] == 1
    assert record["posture"] == {"mode": "NORMAL", "posture_seq": 1, "policy_rev": "r1", "trust": "TRUSTED"}
    assert record["policy"] == {"policy_id": "sample_rules", "revision": "7", "content_digest": RULES.policy.digest}
    assert record["feature_set"] == {"policy_id": "sample", "revision": "1", "content_digest": FEATURES.digest}
    assert record["bundle_ref"] == {"bundle_id": "rules", "bundle_version": "1"}
    assert record["run_config_digest"] == b"\x05" * 32
    assert record["decided_at_utc"] == CONTEXT.wall_us
    assert record["pins"] == PINS.as_avro()
    offsets = [{"topic": "fp.bus.traffic.fraud.v1", "partition": 0, "next_offset": 42}]
    assert record["basis"] == {"shard": 0, "epoch": 2, "sequence": 11, "offsets": offsets}


def test_ids_follow_the_recipes_and_know_no_offset() -> None:
    (record,) = decided(steps(), [NORMAL, {"event_id": "pay-1"}])
    (moved,) = decided(steps(), [NORMAL, {"kind": LABEL}, {"event_id": "pay-1"}])
    assert record["source_event"]["offset"] != moved["source_event"]["offset"]
    for found in (record, moved):
        assert found["decision_id"] == ids.decision_id(PINS.digest, RULES.policy.digest, "pay-1")
        key = ids.idempotency_key(PINS.digest, "pay-1")
        assert found["intent"] == {"action_id": ids.action_id(key, "ALLOW"), "action_kind": "ALLOW", "idempotency_key": key}


def test_ids_of_long_events_follow_the_recipes_after_batches_of_short_ones() -> None:
    under_test, names = steps(), ["a", "b" * 900, "c" * 55, "d" * 4_000, "e"]
    decided(under_test, [NORMAL, {"event_id": "short"}])
    for at, record in enumerate(decided(under_test, [{"event_id": name, "count": 2 * row} for row, name in enumerate(names)])):
        key, kind = ids.idempotency_key(PINS.digest, names[at]), record["outcome"]
        assert record["decision_id"] == ids.decision_id(PINS.digest, RULES.policy.digest, names[at])
        assert record["intent"] == {"action_id": ids.action_id(key, kind), "action_kind": kind, "idempotency_key": key}


def test_the_snapshot_hash_covers_feature_set_and_values() -> None:
    (record,) = decided(steps(), [NORMAL, {"count": 4, "mean": 12.5}])
    schema = next(f["type"] for f in record_type("decision_response").schema["fields"] if f["name"] == "features")
    one = np.array([0, 2], np.int64), np.array([0, 1], np.int64)
    values: Columns = {"longs": Ragged(one[0], {"item": np.array([4, 0], np.int64)}), "doubles": Ragged(one[1], {"item": np.array([12.5])})}
    body = encode(compile_schema(schema), values).row(0)
    assert body is not None
    assert record["snapshot_hash"] == hashlib.sha256(FEATURES.digest + body).digest()


def test_without_a_posture_the_fail_safe_is_in_force() -> None:
    calm, bad = decided(steps(), [{}, {"count": 5, "amount": 900}])
    assert (calm["outcome"], calm["reasons"]) == ("STEP_UP", [POSTURE_MISSING, POSTURE_CLAMPED])
    assert (bad["outcome"], bad["reasons"]) == ("QUEUE_REVIEW", ["MANY", "LARGE", POSTURE_MISSING])
    assert calm["posture"] == {"mode": "FAIL_CLOSED", "posture_seq": 0, "policy_rev": "", "trust": "MISSING"}


def test_a_step_up_only_posture_clamps_allow_and_nothing_else() -> None:
    calm, bad = decided(steps(), [posture(2, Mode.DEGRADED_1), {}, {"count": 5, "amount": 900}])
    assert (calm["outcome"], calm["score"], calm["reasons"]) == ("STEP_UP", 0, [POSTURE_CLAMPED])
    assert calm["intent"]["action_kind"] == "STEP_UP"
    assert (bad["outcome"], bad["reasons"]) == ("QUEUE_REVIEW", ["MANY", "LARGE"])


def test_rows_after_a_posture_record_use_it_and_rows_before_do_not() -> None:
    rows = [NORMAL, {}, posture(2, Mode.DEGRADED_2), {}, posture(3, Mode.NORMAL), {}]
    assert [(r["posture"]["posture_seq"], r["outcome"]) for r in decided(steps(), rows)] == [(1, "ALLOW"), (2, "STEP_UP"), (3, "ALLOW")]


def test_only_live_payments_are_decided_and_keep_their_row() -> None:
    rows = [NORMAL, {"live": False}, {"kind": LABEL, "count": 5}, {"count": 5}]
    assert [(r["row"], r["score"]) for r in decided(steps(), rows)] == [(3, 30)]


@pytest.mark.parametrize("rows", [[], [NORMAL, {"kind": LABEL}, {"live": False}]])
def test_a_batch_without_payments_emits_nothing(rows: list[dict[str, Any]]) -> None:
    assert handled(steps(), batch(rows))[1].emissions == ()


def test_decisions_go_to_the_partition_of_their_event_and_stay_readable() -> None:
    under_test = steps()
    (emission,) = handled(under_test, batch([{"event_id": "a"}, {"event_id": "b", "count": 5}]))[1].emissions
    assert emission.handle == "FP_BUS_RTDL_V1"
    assert emission.keys.tolist() == [b"a", b"b"]
    assert emission.partitions.tolist() == partitions_of(Strings.of(["a", "b"]), 3).tolist()
    table = under_test[-1].step.tables()["decisions"]
    row = table.row("b")
    assert row is not None
    assert (row["outcome"], row["score"], row["features"]) == ("STEP_UP", 30, {"count_1d": 5, "is_night": 0, "mean_1d": 100.0})
    assert row["decision_id"] == ids.decision_id(PINS.digest, RULES.policy.digest, "b").hex()
    assert table.row("c") is None


def test_the_step_keeps_no_state_and_refuses_one() -> None:
    step = DecideStep(plans(), {})
    assert step.state() == TableState({})
    step.restore(TableState({}))
    for state in (TableState({"mode": "NORMAL"}), TableState({}, {"lines": np.zeros(1)})):
        with pytest.raises(Stop) as stopped:
            step.restore(state)
        assert stopped.value.reason is Reason.STATE_UNREADABLE


PAYMENTS = st.fixed_dictionaries(
    {
        "count": st.integers(0, 5),
        "amount": st.integers(0, 300),
        "mean": st.sampled_from([0.0, 50.0, 120.5]),
        "night": st.integers(0, 1),
        "live": st.booleans(),
    }
)
CHANGES = st.builds(posture, st.integers(0, 6), st.sampled_from(list(Mode)))


@settings(max_examples=drawn(40), deadline=None)
@given(st.lists(PAYMENTS | CHANGES, max_size=14), st.integers(0, 14))
def test_any_cut_gives_the_same_decisions_and_each_equals_the_document_read_alone(rows: list[dict[str, Any]], cut: int) -> None:
    whole_steps, cut_steps, cut = steps(), steps(), min(cut, len(rows))
    whole = decided(whole_steps, rows)
    parts = [*decided(cut_steps, rows[:cut]), *decided(cut_steps, rows[cut:], cut)]
    for record in [*whole, *parts]:
        del record["row"]
    assert parts == whole
    assert [written(one.step) for one in cut_steps] == [written(one.step) for one in whole_steps]
    for record, row in zip(whole, [r for r in rows if r.get("kind") is None and r["live"]], strict=True):
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
    assert len(rules.policy.digest) == 32
    assert set(rules.codes)


def test_recent_decisions_let_go_of_the_oldest() -> None:
    (emission,) = handled(steps(), batch([{"event_id": "a"}, {"event_id": "b"}]))[1].emissions
    recent = RecentDecisions(FEATURES, rows_max=3)
    (newer,) = handled(steps(), batch([{"event_id": "c"}, {"event_id": "d"}]))[1].emissions
    recent.add(emission.values)
    recent.add(newer.values)
    assert recent.row("a") is None
    assert recent.row("d") is not None


COUNTED_ROWS = (
    NORMAL,
    posture(2, Mode.FAIL_CLOSED),
    {"count": 5},
    {"amount": 900},
    {"night": 1},
    {"count": 9, "amount": 900, "night": 1},
    {"kind": LABEL},
)


@given(st.lists(st.sampled_from(COUNTED_ROWS), max_size=30))
@settings(deadline=None, max_examples=drawn(40))
def test_decisions_are_counted_by_the_outcomes_and_reasons_that_they_have(rows: list[dict[str, Any]]) -> None:
    result = handled(steps(), batch(rows))[1]
    records = decided(steps(), rows)
    counted = [emission.counted for emission in result.emissions]
    assert len(counted) == bool(records)
    for columns in counted:
        assert columns["outcome"].tally() == Counter(record["outcome"] for record in records)
        assert columns["reason"].tally() == Counter(reason for record in records for reason in record["reasons"])
