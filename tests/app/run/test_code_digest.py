"""The code digest changes with every file that decides, and with no other file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import ROOT

from assay.app.run.code_digest import code_digest, digest_of

DECIDES = [
    "agents/topology.py",
    "agents/assembly.py",
    "agents/components.py",
    "agents/decide.py",
    "agents/rule_plan.py",
    "tables/windows.py",
    "tables/feature_plan.py",
    "codecs/avro_encode.py",
    "contracts/topics.py",
    "contracts/topics/fp.bus.rtdl.v1.yaml",
    "contracts/schemas/avro/payment.v1.avsc",
    "app/lane/assembly.py",
]
DOES_NOT = [
    "agents/faust_shell/agents.py",
    "contracts/policies/features.md",
    "contracts/policies/handbook/rules.yaml",
    "contracts/schemas/json/payment.v1.json",
    "app/lane/driver.py",
    "app/gate/policy.py",
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the import root."""
    copy = tmp_path_factory.mktemp("copy") / "assay"
    shutil.copytree(ROOT / "assay", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def changed(tree: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one byte of one file changed."""
    path = tree / str(request.param)
    original = path.read_bytes()
    path.write_bytes(bytes([original[0] ^ 1]) + original[1:])
    yield tree
    path.write_bytes(original)


def test_a_copy_has_the_digest_of_this_code(tree: Path) -> None:
    assert digest_of(tree) == code_digest()


@pytest.mark.parametrize("changed", DECIDES, indirect=True)
def test_a_byte_of_a_file_that_decides_changes_the_digest(changed: Path) -> None:
    assert digest_of(changed) != code_digest()


@pytest.mark.parametrize("changed", DOES_NOT, indirect=True)
def test_a_byte_of_another_file_does_not(changed: Path) -> None:
    assert digest_of(changed) == code_digest()


@pytest.mark.parametrize("name", ["contracts/topics/fp.bus.new.v1.yaml", "agents/newcomer.py", "contracts/schemas/avro/new.v1.avsc"])
def test_a_new_file_that_decides_changes_the_digest(tree: Path, name: str) -> None:
    (tree / name).write_bytes(b"")
    found = digest_of(tree)
    (tree / name).unlink()
    assert found != code_digest()


def test_a_moved_file_changes_the_digest(tree: Path) -> None:
    """The path is part of it: the same bytes under another name are other code."""
    (tree / "agents/merge.py").rename(tree / "agents/merged.py")
    found = digest_of(tree)
    (tree / "agents/merged.py").rename(tree / "agents/merge.py")
    assert found != code_digest()
