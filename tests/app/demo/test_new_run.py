"""What a run is planned with: documents are read strictly, whoever wrote them, and the world says what is the truth in it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from small_worlds import small_world

from assay.app.demo.new_run import document, world_config
from assay.app.run.directory import RunConfig
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


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
