"""JSON Schema documents of this package, read and enforced: the subset of draft 2020-12 they use, and no keyword beyond it.

A schema that holds a keyword this reader does not enforce is refused, so nothing in a schema file is decoration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parent / "schemas" / "json"

Schema = Mapping[str, Any]
_SILENT: Final = {"$schema", "$id", "$defs", "title", "description", "properties"}


class Fault(NamedTuple):
    """The first thing wrong with a value: where (`$.pins.seed`), which keyword refused it, and in words."""

    path: str
    keyword: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


@cache
def schema(name: str) -> Schema:
    """The schema document of a name such as `envelope.v1`."""
    document: Schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return document


def names() -> list[str]:
    """Names of all JSON Schemas shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def fault_of(name: str, value: Any) -> Fault | None:
    """The first fault of a value under a shipped schema, None when it conforms."""
    document = schema(name)
    return next(faults(document, value, document), None)


def faults(node: Schema, value: Any, root: Schema, path: str = "$") -> Iterator[Fault]:
    """All faults of a value under one schema node, outermost first. Raises ValueError for a keyword that is not enforced here."""
    if not _is_type(node.get("type"), value):
        yield Fault(path, "type", f"is {_shown(value)}, expected {node['type']}")
        return
    for keyword, bound in node.items():
        if keyword == "$ref":
            yield from faults(_resolve(root, bound), value, root, path)
        elif keyword in _RULES:
            what = _RULES[keyword](bound, value)
            if what is not None:
                yield Fault(path, keyword, what)
        elif keyword == "required" and isinstance(value, dict):
            yield from (Fault(f"{path}.{name}", keyword, "is missing") for name in bound if name not in value)
        elif keyword == "oneOf":
            yield from _one_of(bound, value, root, path)
        elif keyword not in _SILENT | _CHILDREN:
            raise ValueError(f"keyword {keyword} at {path} is not enforced")
    yield from _child_faults(node, value, root, path)


def _child_faults(node: Schema, value: Any, root: Schema, path: str) -> Iterator[Fault]:
    if isinstance(value, list):
        first = node.get("prefixItems", [])
        for index, item in enumerate(value):
            yield from faults(first[index] if index < len(first) else node.get("items", {}), item, root, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    known, beyond = node.get("properties", {}), node.get("additionalProperties", True)
    for name, child in value.items():
        if "propertyNames" in node:
            yield from faults(node["propertyNames"], name, root, f"{path}.{name} as a name")
        if name in known:
            yield from faults(known[name], child, root, f"{path}.{name}")
        elif beyond is False:
            yield Fault(f"{path}.{name}", "additionalProperties", "is not a known field")
        elif beyond is not True:
            yield from faults(beyond, child, root, f"{path}.{name}")


def _one_of(options: list[Schema], value: Any, root: Schema, path: str) -> Iterator[Fault]:
    fitting = sum(next(faults(option, value, root, path), None) is None for option in options)
    if fitting != 1:
        yield Fault(path, "oneOf", f"fits {fitting} of the {len(options)} allowed forms")


def _resolve(root: Schema, reference: str) -> Schema:
    document, _, pointer = reference.partition("#")
    node: Any = schema(document.removesuffix(".json")) if document else root
    for part in filter(None, pointer.split("/")):
        node = node[part]
    found: Schema = node
    return found


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_CHILDREN: Final = {"type", "required", "prefixItems", "items", "additionalProperties", "propertyNames"}


def _is_type(expected: str | list[str] | None, value: Any) -> bool:
    if expected is None:
        return True
    return any(_TYPES[name](value) for name in ([expected] if isinstance(expected, str) else expected))


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text[:-1] + r"\Z" if text.endswith("$") else text)


def _text(test: Callable[[Any, str], bool], words: str) -> Callable[[Any, Any], str | None]:
    return lambda bound, value: f"is {_shown(value)}, {words} {bound}" if isinstance(value, str) and not test(bound, value) else None


def _number(test: Callable[[Any, int], bool], words: str) -> Callable[[Any, Any], str | None]:
    return lambda bound, value: f"is {_shown(value)}, {words} {bound}" if type(value) is int and not test(bound, value) else None


def _sized(kind: type[list[Any] | dict[str, Any]], test: Callable[[int, int], bool], words: str) -> Callable[[Any, Any], str | None]:
    def rule(bound: Any, value: Any) -> str | None:
        return f"holds {len(value)}, {words} {bound}" if isinstance(value, kind) and not test(bound, len(value)) else None

    return rule


_RULES: Final[dict[str, Callable[[Any, Any], str | None]]] = {
    "const": lambda bound, value: None if value == bound else f"is {_shown(value)}, expected {bound!r}",
    "enum": lambda bound, value: None if value in bound else f"is {_shown(value)}, expected one of {', '.join(map(str, bound))}",
    "pattern": _text(lambda bound, value: _pattern(bound).search(value) is not None, "expected"),
    "minLength": _text(lambda bound, value: len(value) >= bound, "characters at least"),
    "maxLength": _text(lambda bound, value: len(value) <= bound, "characters at most"),
    "minimum": _number(lambda bound, value: value >= bound, "at least"),
    "maximum": _number(lambda bound, value: value <= bound, "at most"),
    "exclusiveMaximum": _number(lambda bound, value: value < bound, "less than"),
    "minItems": _sized(list, lambda bound, size: size >= bound, "at least"),
    "maxItems": _sized(list, lambda bound, size: size <= bound, "at most"),
    "minProperties": _sized(dict, lambda bound, size: size >= bound, "at least"),
    "maxProperties": _sized(dict, lambda bound, size: size <= bound, "at most"),
}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
