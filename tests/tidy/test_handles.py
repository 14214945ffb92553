"""A topic handle is written once in `assay`: as a constant in `contracts/handles.py`. Everything else takes the constant."""

from __future__ import annotations

import ast
import re

import pytest
from source_tree import name_of, sources

from assay.contracts import handles
from assay.contracts.topics import topics

CONSTANTS = "assay/contracts/handles.py"
HANDLE = re.compile(r"\bFP_[A-Z0-9_]+_V[0-9]+\b")


def written_handles(text: str) -> list[str]:
    """Handles in the string constants of a source text, without docstrings."""
    tree = ast.parse(text)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings)
    return [handle for node in constants if isinstance(node.value, str) for handle in HANDLE.findall(node.value)]


def test_handles_are_written_in_one_module() -> None:
    found = {name_of(path): written_handles(path.read_text(encoding="utf-8")) for path in sources("assay")}
    assert {name for name, written in found.items() if written} == {CONSTANTS}


def test_every_topic_has_one_constant() -> None:
    constants = [value for name, value in vars(handles).items() if name.isupper()]
    assert sorted(constants) == sorted(topics())


@pytest.mark.parametrize(
    "text",
    [
        'TRAFFIC = "FP_BUS_TRAFFIC_FRAUD_V1"',
        'read(bus, "FP_BUS_RTDL_V1")',
        'where = f"{run}: FP_JOURNAL_ACT_V1"',
        'def f() -> str:\n    """About FP_BUS_RTDL_V1."""\n    return "FP_BUS_AUDIT_V1"',
    ],
)
def test_a_planted_handle_is_seen(text: str) -> None:
    assert len(written_handles(text)) == 1


def test_a_docstring_may_name_a_handle() -> None:
    assert written_handles('"""Reads FP_BUS_RTDL_V1."""') == []
