"""The three examples of the README work as they stand there, and its output is a real one."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import yaml
from fenced_blocks import ANY, differs, steps
from source_tree import ROOT

from assay.agents.rule_plan import compile_rules
from assay.app.policy.documents import document
from assay.tables.feature_plan import compile_plan
from assay.testing import Simulation

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Texts of the README's blocks in a language."""
    return [block.partition("\n")[2] for block in README.split("```")[1::2] if block.partition("\n")[0] == language]


def test_the_feature_and_the_rule_fit_the_shipped_policy() -> None:
    """One line each, added to the documents as a reader would."""
    (feature,), (rule,) = map(yaml.safe_load, blocks("yaml"))
    features: dict[str, Any] = document("handbook", "features")
    features["features"].append(feature)
    rules = document("handbook", "rules")
    rules["rules"].append(rule)
    assert rule["code"] in compile_rules(rules, compile_plan(features)).codes


def test_the_test_passes(tmp_path: Path) -> None:
    (example,) = blocks("python")
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    tests = [value for name, value in runpy.run_path(str(tmp_path / "example.py")).items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0](Simulation)


def test_the_output_is_the_one_of_the_tutorial() -> None:
    """And the tutorial's is compared with a real run."""
    (decision,) = blocks("text")
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    (shown,) = [step.output for step in steps(tutorial) if step.output and "\nDECLINE, score" in step.output]
    assert differs(f"{decision}{ANY}", shown) is None
