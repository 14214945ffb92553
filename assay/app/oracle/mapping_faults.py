"""The first fault of a mapping in the words of its writer: the field, what is wrong with it, and what helps."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

#: names that pydantic gives to the forms of a value
_FORMS: Final = ("str", "int", "bool", "constrained-str")
_EXPECTED: Final = {
    "missing": "it is missing",
    "tuple_type": "expected a list, as in [a, b]",
    "list_type": "expected a list, as in [a, b]",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "model_attributes_type": "expected keys and values",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "too_short": "it is empty",
    "string_too_short": "it is empty",
}
#: types whose bound or whose choices stand in the error's context
_BOUNDED: Final = {
    "literal_error": "expected {expected}",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "too_long": "it has {actual_length} entries, at most {max_length} are taken",
    "string_too_long": "it is longer than {max_length} characters",
}
_PATTERNS: Final = {
    "^[a-z][a-z0-9_]*$": "expected small letters, digits and _, a letter first",
    "^[A-Z]{3}$": "expected three capital letters, as in EUR",
    "^[^0-9+.,-]+$": "expected text without digits, signs, points and commas",
}
_MIXED: Final = "expected text, a whole number, true or false, or null"
_REMEDY: Final = "Correct this field of the mapping."


class MappingFault(NamedTuple):
    """What is wrong, with its field in front, and the remedy."""

    what: str
    remedy: str


def fault_of(error: ValidationError, parts: Mapping[str, type[BaseModel]], top: type[BaseModel]) -> MappingFault:
    """The first fault; of a part that can have several forms, the fault of the form that it comes closest to.

    `parts`: the model of each part, by the last field that names it; `top`: the model of the document.
    """
    first, *others = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")  # it explains a field that is missing
    same = [first, *(one for one in others if one["loc"][:1] == first["loc"][:1])]
    closest = max(same, key=lambda one: len(one["loc"]))
    place = _place(closest["loc"], parts)
    name = ".".join(map(str, place)) or "the document"
    if closest["type"] == "extra_forbidden":
        return _unknown(name, place, parts, top)
    if closest["type"] in ("string_type", "int_type", "bool_type"):
        return _not_of_type(name, closest, mixed=len({one["type"] for one in same if _place(one["loc"], parts) == place}) > 1)
    return MappingFault(f"{name}: {_said(closest)}", _REMEDY)


def _said(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    if fault["type"] in _BOUNDED:
        return _BOUNDED[fault["type"]].format(**context)
    known = _EXPECTED.get(fault["type"]) or _PATTERNS.get(str(context.get("pattern")))
    return known or fault["msg"].removeprefix("Value error, ")


def _place(loc: Sequence[int | str], parts: Mapping[str, type[BaseModel]]) -> list[int | str]:
    """The keys and positions; a form's own name is pydantic's."""
    forms = {*_FORMS, *(part.__name__ for part in parts.values())}
    return [part for part in loc if isinstance(part, int) or not (part in forms or "[" in part or part.startswith("function-"))]


def _unknown(name: str, place: list[int | str], parts: Mapping[str, type[BaseModel]], top: type[BaseModel]) -> MappingFault:
    named = [part for part in place[:-1] if isinstance(part, str)]
    fields = list((parts.get(named[-1], top) if named else top).model_fields)
    near = difflib.get_close_matches(str(place[-1]), fields, n=1)
    remedy = f"Did you mean '{near[0]}'?" if near else f"The fields here are {', '.join(fields)}."
    return MappingFault(f"{name}: there is no such field", remedy)


def _not_of_type(name: str, fault: ErrorDetails, *, mixed: bool) -> MappingFault:
    given: Any = fault["input"]
    if fault["type"] == "string_type" and isinstance(given, int | float) and not mixed:
        said = f"{name}: YAML reads {str(given).lower() if isinstance(given, bool) else given} as {_kind(given)}, expected text"
        return MappingFault(said, f'Write it in quotation marks: "{given}".')
    return MappingFault(f"{name}: {_MIXED if mixed else _EXPECTED[fault['type']]}", _REMEDY)


def _kind(given: object) -> str:
    return "a truth value" if isinstance(given, bool) else "a number"
