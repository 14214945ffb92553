"""The answer of a backtest is that of two simulations of one world, diffed in plain Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from backtests import Ran, again, changed, decisions, plain_cells, plain_changed, plain_reasons, policy_of, ran, world_payments
from effort import drawn
from gated_worlds import config_over, generated_world
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rule_reference import score_row
from records import TRAFFIC

from assay.app.backtest.answer import Answer, ChangedPayment
from assay.app.backtest.backtest import backtest
from assay.app.policy.documents import Policy, load_policy
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ROWS = 1_500
HANDBOOK, TRANSFERS = load_policy("handbook"), load_policy("transfers")


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("handbook")
    world = generated_world(folder, "handbook", ROWS, 3)
    return ran(folder, world, config_over(world, "handbook"))


def account_only() -> Policy:
    """A policy of the transfers that reads one of their entities."""
    count = {"name": "account_count_1d", "entity": "account", "op": "count", "window": "1d", "resolution": "1h", "include_current": True}
    features = {"feature_set": "accounts", "revision": "1", "entities": ["account"], "currencies": "any", "features": [count]}
    rules = {
        "policy_id": "accounts",
        "revision": "1",
        "rules": [{"code": "MANY", "points": 40, "when": [{"feature": "account_count_1d", "ge": 2}]}],
        "thresholds": {"STEP_UP": 30},
    }
    return policy_of(features, rules, "accounts")


@pytest.fixture(scope="module")
def transfers(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run under a policy that reads the account alone."""
    folder = tmp_path_factory.mktemp("transfers")
    world = generated_world(folder, "transfers", ROWS, 5)
    policy = account_only()
    config = config_over(world, "transfers").model_copy(update={"features": policy.features, "policy": policy.rules})
    return ran(folder, world, config)


def moved(policy: Policy, **thresholds: int) -> Policy:
    return policy_of(policy.features, changed(policy.rules, thresholds=thresholds, revision="mine"))


def with_feature(policy: Policy) -> Policy:
    """A feature that the run did not have, over a window of its own, and a rule about it."""
    burst = {"name": "burst", "entity": "customer", "op": "count", "window": "2d", "resolution": "12h", "include_current": True}
    rule = {"code": "BURST", "points": 45, "when": [{"feature": "burst", "ge": 4}]}
    features = changed(policy.features, features=[*policy.features["features"], burst], revision="mine")
    return policy_of(features, changed(policy.rules, rules=[*policy.rules["rules"], rule], revision="mine"))


def assert_same_as_simulations(answer: Answer, before: Ran, policy: Policy, listed: list[ChangedPayment]) -> None:
    assert before.world is not None
    after, payments = again(before, policy), world_payments(before.world)
    cells = {(cell.before, cell.after, cell.currency): (cell.payments, cell.frauds, cell.amount_minor) for cell in answer.cells}
    assert cells == plain_cells(before.log, after.log, payments)
    reasons: dict[str, dict[str, Any]] = {one.code: {k: v for k, v in asdict(one).items() if k != "code"} for one in answer.reasons}
    assert reasons == plain_reasons(before.log, after.log, payments)
    events = plain_changed(before.log, after.log)
    assert {one.event_id for one in listed} == events
    assert len(listed) == answer.changed == len(events) > 0, "a policy that changes nothing proves nothing"
    assert answer.payments == len(payments)
    parts = [before.world.stream_part(part).select("event_id", "source_id") for part in before.world.manifest.stream_view]
    of_file = {event: str(source) for part in parts for event, source in part.iter_rows()}
    for one in listed:
        assert one.source_id == of_file[one.event_id]
        assert (one.amount_minor, one.currency, one.fraud) == payments[one.event_id]


@pytest.mark.parametrize(
    "policy", [moved(HANDBOOK, STEP_UP=10, QUEUE_REVIEW=55, DECLINE=80), moved(HANDBOOK, DECLINE=40), with_feature(HANDBOOK)]
)
def test_thresholds_and_features_of_one_s_own_change_what_they_change_in_a_run(handbook: Ran, policy: Policy) -> None:
    listed: list[ChangedPayment] = []
    sources = handbook.sources()
    answer = backtest(handbook.run, policy, sources, 5, listed.append)
    assert_same_as_simulations(answer, handbook, policy, listed)
    assert sources.asked == [], "the journal holds it all"
    assert list(answer.first) == listed[:5]


CONDITION = st.builds(
    lambda name, sign, right: {"feature": name, sign: right},
    st.sampled_from(sorted((*HANDBOOK.feature_plan.long_names, *HANDBOOK.feature_plan.double_names, "amount_minor"))),
    st.sampled_from(["gt", "ge", "lt", "le", "ne"]),
    st.sampled_from([0, 0.2, 1, 3, 10, 4_000, 9_000])
    | st.builds(lambda times: {"times": times, "feature": "customer_mean_7d"}, st.sampled_from([0.5, 1, 2])),
)
RULES = st.lists(st.tuples(st.lists(CONDITION, min_size=1, max_size=3), st.integers(-20, 60)), min_size=1, max_size=5)


@settings(max_examples=drawn(12), deadline=None)
@given(RULES, st.lists(st.integers(-10, 90), min_size=3, max_size=3, unique=True).map(sorted))
def test_any_rules_over_the_features_of_a_run_give_what_the_plain_reference_gives(
    handbook: Ran, rules: list[tuple[list[dict[str, Any]], int]], levels: list[int]
) -> None:
    """The features of the run's own decisions, scored row by row in plain Python."""
    assert handbook.world is not None
    document = {
        "policy_id": "mine",
        "revision": "1",
        "rules": [{"code": f"R{at}", "points": points, "when": when} for at, (when, points) in enumerate(rules)],
        "thresholds": dict(zip(("STEP_UP", "QUEUE_REVIEW", "DECLINE"), levels, strict=True)),
    }
    answer = backtest(handbook.run, policy_of(HANDBOOK.features, document), handbook.sources())
    plan, payments = HANDBOOK.feature_plan, world_payments(handbook.world)
    expected: Counter[tuple[str, str]] = Counter()
    alone: Counter[str] = Counter()
    for event, record in decisions(handbook.log).items():
        values = dict(
            zip((*plan.long_names, *plan.double_names), (*record["features"]["longs"], *record["features"]["doubles"]), strict=True)
        )
        _, outcome, fired = score_row(document, {**values, "amount_minor": payments[event].amount_minor})
        expected[record["outcome"], outcome] += 1
        alone[fired[0] if len(fired) == 1 else ""] += 1
    found: Counter[tuple[str, str]] = Counter()
    for cell in answer.cells:
        found[cell.before, cell.after] += cell.payments
    assert found == expected
    assert {one.code: one.alone_after for one in answer.reasons if one.alone_after} == {code: n for code, n in alone.items() if code}


def test_an_entity_that_the_run_did_not_read_comes_from_the_topic(transfers: Ran) -> None:
    listed: list[ChangedPayment] = []
    sources = transfers.sources()
    answer = backtest(transfers.run, TRANSFERS, sources, 0, listed.append)
    assert TRAFFIC in sources.asked
    assert sources.open == 0, "what reads ahead has ended"
    assert answer.columns["entity.merchant"] == answer.columns["entity.party"] == "the topic"
    assert_same_as_simulations(answer, transfers, TRANSFERS, listed)


def test_an_entity_whose_topic_is_gone_comes_from_the_world(transfers: Ran) -> None:
    listed: list[ChangedPayment] = []
    sources = transfers.sources(**{TRAFFIC: 10})
    answer = backtest(transfers.run, TRANSFERS, sources, 0, listed.append)
    assert set(answer.columns.values()) == {"the sealed world"}
    assert sources.asked == []
    assert_same_as_simulations(answer, transfers, TRANSFERS, listed)


def test_payments_without_an_id_of_any_entity_of_the_policy_are_counted(transfers: Ran) -> None:
    """They are decided here, and the gate of a run with this policy would refuse them."""
    assert transfers.world is not None
    count = {"name": "n", "entity": "merchant", "op": "count", "window": "1d", "resolution": "1h", "include_current": True}
    features = {"feature_set": "m", "revision": "1", "entities": ["merchant"], "currencies": "any", "features": [count]}
    rules = [{"code": "MANY", "points": 40, "when": [{"feature": "n", "ge": 2}]}]
    policy = policy_of(features, {"policy_id": "m", "revision": "1", "rules": rules, "thresholds": {"STEP_UP": 30}})
    rows = [transfers.world.stream_part(part) for part in transfers.world.manifest.stream_view]
    without = sum(part["entity.merchant"].null_count() for part in rows)
    assert backtest(transfers.run, policy, transfers.sources()).unnamed == without > 10


def test_a_column_that_is_nowhere_is_refused_with_its_name_and_the_run(transfers: Ran, tmp_path: Path) -> None:
    elsewhere = transfers.run.model_copy(update={"directory": tmp_path})
    with pytest.raises(Stop) as refused:
        backtest(elsewhere, TRANSFERS, transfers.sources(**{TRAFFIC: 10}))
    assert refused.value.reason is Reason.COLUMN_NOT_JOURNALED
    assert "party" in refused.value.what
    assert transfers.run.platform_run_id in refused.value.what
    assert f"{TRAFFIC}[0] begins at offset 10" in refused.value.where
    assert "account" in refused.value.remedy
