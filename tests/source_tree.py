"""The files of this repository, as the house rules look at them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Function(NamedTuple):
    """A function with its place and the lines from its `def` to its end."""

    place: str
    lines: int
    decorators: frozenset[str]


def sources(*folders: str) -> list[Path]:
    """Python files under folders of the repository, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """A path as it is written in lists: relative to the repository, with slashes."""
    return path.relative_to(ROOT).as_posix()


def functions(text: str, name: str) -> Iterator[Function]:
    """Every function of a source text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = frozenset(ast.unparse(decorator) for decorator in node.decorator_list)
            yield Function(f"{name}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, decorators)


@cache
def called(text: str) -> frozenset[str]:
    """The dotted names of all that a source text calls."""
    return frozenset(name for name, _ in calls(text))


def calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a source text, with the dotted name that is called."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
