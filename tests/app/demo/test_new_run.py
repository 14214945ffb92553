"""What a run is planned with: documents are read strictly, whoever wrote them, and the world says what is the truth in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from small_worlds import small_world

from assay.app.demo.new_run import _refuse_currencies, document, world_config
from assay.app.run.directory import RunConfig
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_document import parse_document


@pytest.mark.parametrize(
    ("part", "reason"), [("features", Reason.FEATURE_DOCUMENT_INVALID), ("rules", Reason.RULES_DOCUMENT_INVALID)], ids=["features", "rules"]
)
@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("revision: '1'\nrevision: '2'\n", "line 2: the key 'revision' is given a second time, first in line 1"),
        ("rules: [", "not YAML"),
        ("- a list", "expected keys and values"),
    ],
)
def test_a_policy_document_that_cannot_be_meant_is_refused_with_its_file(
    tmp_path: Path, part: Literal["features", "rules"], reason: Reason, text: str, named: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(Stop) as refusal:
        document(str(file), part)
    assert (refusal.value.reason, refusal.value.where) == (reason, str(file))
    assert named in refusal.value.what


def test_a_policy_is_a_folder_of_two_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "features.yaml").write_text("feature_set: mine\n")
    (folder / "rules.yaml").write_text("policy_id: mine\n")
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "./mine", str(folder)):
        assert document(name, "features") == {"feature_set": "mine"}
        assert document(name, "rules") == {"policy_id": "mine"}


def test_a_folder_in_the_working_directory_does_not_hide_a_shipped_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "rules.yaml").write_text("policy_id: mine\n")
    monkeypatch.chdir(tmp_path)
    assert document("handbook", "rules")["policy_id"] == "handbook_rules"
    assert document("./handbook", "rules")["policy_id"] == "mine"


@pytest.mark.parametrize("given", ["no_such_policy", "half", "./half", "../policies/handbook", ""])
def test_a_policy_without_a_document_is_refused_with_the_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "features.yaml").write_text("feature_set: half\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Stop) as refusal:
        document(given, "rules")
    assert refusal.value.reason is Reason.POLICY_MISSING
    assert str(Path(given)) in refusal.value.what
    assert "features.yaml and rules.yaml" in str(refusal.value)


AMOUNTS = {"name": "sum_1d", "entity": "customer", "op": "sum", "value": "amount_minor", "window": "1d", "resolution": "1h"}
COUNTS = {"name": "count_1d", "entity": "customer", "op": "count", "window": "1d", "resolution": "1h"}


def policy_of(folder: Path, currencies: object, feature: dict[str, str]) -> str:
    """A policy of one feature in a folder."""
    features = {"feature_set": "mine", "revision": "1", "entities": ["customer"], "features": [feature]}
    text = json.dumps(features | ({} if currencies is None else {"currencies": currencies}))
    (folder / "features.yaml").write_text(text)
    (folder / "rules.yaml").write_text(json.dumps(document("handbook", "rules")))
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
    "a column that holds one": ((), None, AMOUNTS, None),
}


@pytest.mark.parametrize("name", CURRENCIES)
def test_a_world_of_currencies_that_a_policy_does_not_know_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    held, declared, feature, words = CURRENCIES[name]
    manifest = small_world(tmp_path).manifest
    told: dict[str, object] = {"currency": {"constant": held[0] if len(held) == 1 else None, "column": None}}
    told |= {"currencies": list(held)} if len(held) > 1 else {}
    manifest = manifest.model_copy(update={"mapping": manifest.mapping | told})
    policy = policy_of(tmp_path, declared, feature)
    if words is None:
        _refuse_currencies(policy, parse_document(document(policy, "features")), manifest)
        return
    with pytest.raises(Stop) as refusal:
        world_config("platform_20260101T000000Z", manifest, policy)
    assert refusal.value.reason is Reason.CURRENCY_NOT_OF_POLICY
    assert words in refusal.value.what
    assert f"`currencies: [{', '.join(held)}]`" in refusal.value.remedy


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
    config = world_config("platform_20260101T000000Z", manifest, "handbook")
    assert config.truth_columns == names
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
