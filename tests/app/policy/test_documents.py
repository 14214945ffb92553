"""A policy is found by a name or a path, and its documents are checked together before anything is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from assay.app.policy.documents import document, load_policy, shipped_policies
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FEATURES: dict[str, Any] = {
    "feature_set": "mine",
    "revision": "1",
    "entities": ["payer"],
    "features": [{"name": "many", "entity": "payer", "op": "count", "window": "1d", "resolution": "1h"}],
}
RULES: dict[str, Any] = {
    "policy_id": "mine",
    "revision": "1",
    "rules": [{"code": "MANY", "points": 50, "when": [{"feature": "many", "ge": 3}]}],
    "thresholds": {"DECLINE": 50},
}


def as_folder(path: Path) -> Path:
    path.mkdir()
    (path / "features.yaml").write_text(json.dumps(FEATURES))
    (path / "rules.yaml").write_text(json.dumps(RULES))
    return path


def as_file(path: Path) -> Path:
    path.write_text(json.dumps({"features": FEATURES, "rules": RULES}))
    return path


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
    assert f"no policy '{given}'" in refusal.value.what
    assert "rules.yaml in it" in refusal.value.what or "no folder has this name" in refusal.value.what
    assert "assay policy new" in refusal.value.remedy


@pytest.mark.parametrize("make", [as_folder, as_file])
@pytest.mark.parametrize("relative", [True, False])
def test_a_policy_is_a_folder_or_one_file_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], *, relative: bool
) -> None:
    path = make(tmp_path / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    policy = load_policy(path.name if relative else str(path))
    assert (policy.features, policy.rules) == (FEATURES, RULES)
    assert policy.feature_plan.feature_set == policy.rule_plan.policy.policy_id == "mine"


HELD: list[dict[str, Any]] = [
    FEATURES,
    RULES,
    {"features": FEATURES},
    {"features": FEATURES, "rules": [1]},
    {"features": FEATURES, "rules": RULES, "more": 1},
]


@pytest.mark.parametrize("held", HELD)
def test_a_file_that_is_not_both_documents_is_refused_with_the_keys_it_has(tmp_path: Path, held: dict[str, Any]) -> None:
    """A mapping, or one of the two documents, is taken for a policy easily."""
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(held))
    with pytest.raises(Stop) as refused:
        load_policy(str(file))
    assert refused.value.reason is Reason.POLICY_MISSING
    assert f"one file holds both documents under the keys features and rules, this one has {', '.join(held)}" in refused.value.what


def test_one_document_of_a_policy_may_stand_alone_for_a_test_of_it(tmp_path: Path) -> None:
    (tmp_path / "features.yaml").write_text(json.dumps(FEATURES))
    assert document(str(tmp_path / "features.yaml"), "features") == FEATURES
    assert document(str(as_file(tmp_path / "both.yaml")), "rules") == RULES


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_can_be_used(name: str) -> None:
    assert load_policy(name).rule_plan.codes


def test_a_rule_over_a_feature_that_is_not_there_is_refused_when_the_policy_is_read(tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "mine")
    (folder / "features.yaml").write_text(json.dumps({**FEATURES, "features": [{**FEATURES["features"][0], "name": "few"}]}))
    with pytest.raises(Stop) as refused:
        load_policy(str(folder))
    assert refused.value.reason is Reason.RULES_DOCUMENT_INVALID
    assert "'many'" in refused.value.what


def test_a_mistyped_name_is_answered_with_the_nearest_shipped_one() -> None:
    with pytest.raises(Stop, match="Did you mean 'handbook'"):
        load_policy("handbok")


def test_a_name_that_means_a_shipped_policy_and_a_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_folder(tmp_path / "handbook")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Stop, match="'handbook' is a shipped policy, and there is a path of this name here") as refused:
        load_policy("handbook")
    assert refused.value.reason is Reason.POLICY_MISSING
    assert load_policy("./handbook").rules == RULES
