"""What a run is planned with: documents are read strictly, whoever wrote them, and the world says what is the truth in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_worlds import ROWS, small_world

from assay.app.demo.new_run import refuse_unnamed, world_config
from assay.app.policy.documents import load_policy
from assay.app.run.directory import RunConfig
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

AMOUNTS = {"name": "sum_1d", "entity": "customer", "op": "sum", "value": "amount_minor", "window": "1d", "resolution": "1h"}
COUNTS = {"name": "count_1d", "entity": "customer", "op": "count", "window": "1d", "resolution": "1h"}


def policy_of(folder: Path, currencies: object, feature: dict[str, str]) -> str:
    """A policy of one feature in a folder."""
    features = {"feature_set": "mine", "revision": "1", "entities": ["customer"], "features": [feature]}
    text = json.dumps(features | ({} if currencies is None else {"currencies": currencies}))
    (folder / "features.yaml").write_text(text)
    rules = [{"code": "MANY", "points": 50, "when": [{"feature": feature["name"], "ge": 3}]}]
    text = json.dumps({"policy_id": "mine", "revision": "1", "rules": rules, "thresholds": {"DECLINE": 50}})
    (folder / "rules.yaml").write_text(text)
    return f"{folder}/"


#: the world's currencies, `currencies` of the document, its feature → words of the refusal, None where the run may begin
CURRENCIES = {
    "one, as the default says": (("EUR",), None, AMOUNTS, None),
    "one that is listed": (("EUR",), ["GBP", "EUR"], AMOUNTS, None),
    "one that is not listed": (("EUR",), ["GBP", "USD"], AMOUNTS, "payments in EUR, the features of policy"),
    "one that is not listed, and only counts": (("EUR",), ["GBP"], COUNTS, "payments in EUR, the features of policy"),
    "several, and the default is one": (("EUR", "GBP"), None, AMOUNTS, "payments in EUR, GBP, and features of policy"),
    "several, and one is asked for": (("EUR", "GBP"), "one", AMOUNTS, "payments in EUR, GBP, and features of policy"),
    "several, and no amount is added": (("EUR", "GBP"), None, COUNTS, None),
    "several that are listed": (("EUR", "GBP"), ["GBP", "EUR"], AMOUNTS, None),
    "several of which one is not listed": (("EUR", "GBP"), ["EUR"], AMOUNTS, "payments in GBP, the features of policy"),
    "several, and any will do": (("EUR", "GBP"), "any", AMOUNTS, None),
}


@pytest.mark.parametrize("name", CURRENCIES)
def test_a_world_of_currencies_that_a_policy_does_not_know_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    held, declared, feature, words = CURRENCIES[name]
    manifest = small_world(tmp_path).manifest
    manifest = manifest.model_copy(update={"currencies": list(held)})
    policy = policy_of(tmp_path, declared, feature)
    if words is None:
        assert world_config("platform_20260101T000000Z", manifest, load_policy(policy)).policy["policy_id"] == "mine"
        return
    with pytest.raises(Stop) as refusal:
        world_config("platform_20260101T000000Z", manifest, load_policy(policy))
    assert refusal.value.reason is Reason.CURRENCY_NOT_OF_POLICY
    assert words in refusal.value.what
    assert f"`currencies: [{', '.join(held)}]`" in refusal.value.remedy


def test_the_currencies_of_a_world_are_those_that_its_payments_have(tmp_path: Path) -> None:
    """Not those that its mapping lets them have."""
    rows = {**ROWS, "money": ["EUR", "EUR", "USD", "EUR"]}
    amount = {"column": "amount"}
    declared = {"currency": {"column": "money"}, "currencies": ["EUR", "USD", "GBP"], "amount": amount}
    assert small_world(tmp_path / "two", rows, **declared).manifest.currencies == ["EUR", "USD"]
    rows["money"] = ["USD"] * 4
    assert small_world(tmp_path / "one", rows, **declared).manifest.currencies == ["USD"]


@pytest.mark.parametrize(
    ("truth", "names"),
    [
        (None, ()),
        ({"column": "fraud", "positive": ["yes"], "delay": "7d"}, ("fraud",)),
        ({"column": "fraud", "positive": ["yes"], "delay": "7d", "also": ["why"]}, ("fraud", "why")),
    ],
)
def test_a_run_knows_what_its_worlds_mapping_calls_the_truth(
    tmp_path: Path, truth: dict[str, object] | None, names: tuple[str, ...]
) -> None:
    manifest = small_world(tmp_path, truth=truth, entities={"customer": "who", "terminal": "shop"}).manifest
    config = world_config("platform_20260101T000000Z", manifest, load_policy("handbook"))
    assert config.truth_columns == names
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("who", "said"),
    [(["7", None, "8", None], "2 of 4 payments name no customer"), ([None] * 4, "all 4 payments name no customer")],
)
def test_payments_that_name_no_entity_of_the_policy_are_counted_before_a_run(tmp_path: Path, who: list[str | None], said: str) -> None:
    """Another entity of the mapping does not help: the gate looks for those of the policy."""
    world, policy = small_world(tmp_path, {**ROWS, "who": who}), load_policy(policy_of(tmp_path, None, COUNTS))
    with pytest.raises(Stop, match=said) as refused:
        refuse_unnamed(world, policy, go_on=False)
    assert refused.value.reason is Reason.ENTITY_MISSING
    assert "--let-gate-refuse" in refused.value.remedy
    assert refuse_unnamed(world, policy, go_on=True) == who.count(None)


def test_a_world_whose_payments_all_name_one_is_run(tmp_path: Path) -> None:
    assert refuse_unnamed(small_world(tmp_path), load_policy(policy_of(tmp_path, None, COUNTS)), go_on=False) == 0
