"""Writes a guess as a mapping: YAML with the reason above each line."""

from __future__ import annotations

import textwrap
from typing import Any, Final

import yaml

from assay.app.oracle.guess.leaves import Guess, Leaf
from assay.app.oracle.mapping import TODO

_WIDTH: Final = 79


def document(guess: Guess, heading: str) -> str:
    """The text of the mapping."""
    lines = _comment(heading, "")
    open_parts: tuple[str, ...] = ()
    for leaf in guess.leaves:
        parts = leaf.path[:-1]
        for depth, part in enumerate(parts):
            if open_parts[: depth + 1] != parts[: depth + 1]:
                lines.append(f"{'  ' * depth}{part}:")
        open_parts = parts
        indent = "  " * len(parts)
        lines += [*_comment(_reason(leaf), indent), *_line(leaf, indent)]
    return "\n".join(lines) + "\n"


def _reason(leaf: Leaf) -> str:
    return f"{TODO}: {leaf.ask}. {_capital(leaf.why)}" if leaf.ask else leaf.why


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _comment(text: str, indent: str) -> list[str]:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(shown, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _line(leaf: Leaf, indent: str) -> list[str]:
    value = leaf.value
    if isinstance(value, list):
        items = ", ".join(_scalar(item, flow=True) for item in value)
        one = f"{indent}{leaf.path[-1]}: [{items}]"
        if len(one) <= _WIDTH:
            return [one]
        return [f"{indent}{leaf.path[-1]}:", *(f"{indent}  - {_scalar(item)}" for item in value)]
    return [f"{indent}{leaf.path[-1]}: {_scalar(value)}"]


def _scalar(value: Any, *, flow: bool = False) -> str:
    """A value as YAML writes it, in quotation marks where it would be read as something else."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(_scalar(item, flow=True) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key, flow=True)}: {_scalar(item, flow=True)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and (value == "" or not _reads_as(value, flow=flow)):
        return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**6).strip()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reads_as(value: str, *, flow: bool) -> bool:
    """Whether plain text is read as itself."""
    try:
        return (
            bool(yaml.safe_load(f"[{value}]" if flow else f"a: {value}") == ([value] if flow else {"a": value})) and value == value.strip()
        )
    except yaml.YAMLError:
        return False
