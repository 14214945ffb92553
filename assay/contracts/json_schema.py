"""JSON Schemas of this package (draft 2020-12), enforced by the library `jsonschema`.

Two rules are stricter than the draft: 1.0 is not an integer, because it has no canonical form; and `$` in a pattern is the end of the
text, where Python also takes a newline before the end. The library is imported at the first check, not by every command (90 ms).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parent / "schemas" / "json"

Schema = Mapping[str, Any]


class Fault(NamedTuple):
    """A fault of a value: the place (`$.pins.seed`), the keyword that refuses it with its value in the schema, and the reason in words."""

    path: str
    keyword: str
    what: str
    bound: Any = None

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
    """The most relevant fault of a value under a shipped schema, None when it conforms.

    Outer faults come before inner ones. A value that fits none of several forms (`oneOf`) gets the fault of the form it is closest to.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_shipped(name).iter_errors(value))
    return None if error is None else _fault(error)


@cache
def _shipped(name: str) -> Any:
    return validator(schema(name))


def validator(document: Schema) -> Any:
    """A `jsonschema` validator of one schema document with the two stricter rules. It loads nothing from a network."""
    from referencing import Registry

    return _strict()(document, registry=Registry())


@cache
def _strict() -> Any:
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return validators.extend(Draft202012Validator, {"pattern": _pattern}, type_checker=types)


def _pattern(judge: Any, pattern: str, value: Any, _: Schema) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")


#: keyword → the expectation in words; `{}` is the value of the keyword
_EXPECTED: Final = {
    "type": "{}",
    "const": "{}",
    "enum": "one of {}",
    "pattern": "text that matches {}",
    "minLength": "a length of at least {}",
    "maxLength": "a length of at most {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minProperties": "at least {}",
    "maxProperties": "at most {}",
    "oneOf": "exactly one of the {} forms",
}


def _fault(error: Any) -> Fault:
    """A fault from an error of the library. The path ends with the name of a missing or an unknown field."""
    value, keyword, bound = error.instance, error.validator, error.validator_value
    path = list(error.absolute_path)
    if keyword == "required":
        return Fault(place([*path, next(name for name in bound if name not in value)]), keyword, "is missing")
    if keyword == "additionalProperties":
        return Fault(place([*path, min(set(value) - set(error.schema.get("properties", ())))]), keyword, "is not a known field")
    unit = {"Items": "elements", "Properties": "fields"}.get(keyword[3:])
    found = f"has {len(value)} {unit}" if unit else f"is {_shown(value)}"
    if "propertyNames" in error.absolute_schema_path:
        found = f"has the name {_shown(value)}"
    return Fault(place(path), keyword, f"{found}, expected {_expected(keyword, bound)}", bound)


def _expected(keyword: str, bound: Any) -> str:
    if keyword == "oneOf":
        bound = len(bound)
    elif isinstance(bound, list):
        bound = (" or " if keyword == "type" else ", ").join(map(str, bound))
    return _EXPECTED.get(keyword, keyword + " {}").format(bound)


def place(parts: Iterable[str | int]) -> str:
    """The JSON path of keys and positions, as in `$.payload.entities['card no']`."""
    return "$" + "".join(f".{part}" if isinstance(part, str) and part.isidentifier() else f"[{part!r}]" for part in parts)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
