"""Our JSON Schemas are enforced: no keyword is decoration, two rules are stricter than the draft, and a fault names its place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracles.examples import examples

from assay.contracts.json_schema import fault_of, names, schema, validator

ACCEPTED = [example for example in examples() if example.reason is None]
DEFERRED = next(one.value for one in ACCEPTED if one.document == "wsp_ready_run" and one.value["state"].startswith("DEFERRED"))
ODD: st.SearchStrategy[Any] = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.text(max_size=3)),
    *map(st.just, ("x" * 300, {}, [], 0.5, 1.0, "EUR\n", "a" * 32 + "\n")),
)

#: a schema whose fields allow only some values together → these fields: a change of one may be the fault of another
TOGETHER = {"wsp_ready_run.v1": ("$.state", "$.reason", "$.why", "$.rows", "$.counts", "$.retries")}


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, Any, str]:
    """The name of a schema, an accepted example with one place replaced, removed or added, and the path of this place."""
    chosen = draw(st.sampled_from(ACCEPTED))
    value, path = copy.deepcopy(chosen.value), "$"
    place: Any = value
    while True:
        key = draw(st.sampled_from([*place, "surplus"])) if isinstance(place, dict) else draw(st.integers(0, len(place) - 1))
        path += f".{key}" if isinstance(key, str) else f"[{key}]"
        child = place.get(key) if isinstance(place, dict) else place[key]
        if isinstance(child, (dict, list)) and child and draw(st.booleans()):
            place = child
            continue
        if key != "surplus" and isinstance(place, dict) and draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(ODD)
        return f"{chosen.document}.{chosen.version}", value, path


def inexact(value: Any) -> bool:
    """Whether a value holds 1.0 or text that ends with a newline: the two things that only our stricter rules refuse."""
    if isinstance(value, dict):
        return any(map(inexact, value.values()))
    if isinstance(value, list):
        return any(map(inexact, value))
    return value.endswith("\n") if isinstance(value, str) else isinstance(value, float)


@given(broken())
@example(("payment.v1", next(e.value for e in ACCEPTED if e.document == "payment") | {"amount_minor": 1.0}, "$.amount_minor"))
@example(("payment.v1", next(e.value for e in ACCEPTED if e.document == "payment") | {"currency": "EUR\n"}, "$.currency"))
@example(("wsp_ready_run.v1", {name: held for name, held in DEFERRED.items() if name != "why"}, "$.why"))
def test_one_change_anywhere_is_judged_as_the_draft_says_or_more_strictly(case: tuple[str, Any, str]) -> None:
    """The plain library is the reference. A fault's place is the change, or lies around or inside it, or must go together with it."""
    name, value, changed = case
    fault, accepted = fault_of(name, value), jsonschema.Draft202012Validator(schema(name)).is_valid(value)
    assert (fault is None) == accepted or (accepted and inexact(value))
    if fault is not None:
        together = TOGETHER.get(name, ())
        assert fault.path.startswith(changed) or changed.startswith(fault.path) or (fault.path in together and changed in together), fault


@pytest.mark.parametrize(
    ("node", "refused"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "integer"}, True),
        ({"type": "integer"}, "1"),
        ({"pattern": "^a$"}, "a\n"),
        ({"pattern": "^a$"}, "b"),
        ({"pattern": "^a"}, "ba"),
    ],
)
def test_a_value_that_has_no_exact_form_is_refused(node: dict[str, Any], refused: Any) -> None:
    assert not validator(node).is_valid(refused)
    assert validator(node).is_valid("a" if "pattern" in node else 1)


@pytest.mark.parametrize("name", names())
def test_a_shipped_schema_is_valid_and_closed(name: str) -> None:
    """Draft 2020-12, and no unknown field passes."""
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["additionalProperties"] is False


#: the library reads `format` and enforces it only when told to
ENFORCED = set(jsonschema.Draft202012Validator.VALIDATORS) - {"format"}
DESCRIBING = {"$schema", "$id", "$defs", "title", "description"}


def keywords(node: Any) -> Iterator[str]:
    """Every keyword of a schema and of the schemas inside it; names of fields are no keywords."""
    for keyword, inner in node.items() if isinstance(node, dict) else ():
        yield keyword
        if keyword in ("properties", "$defs"):
            inner = list(inner.values())  # noqa: PLW2901 - names go, schemas stay
        if keyword not in ("const", "enum", "required", "type"):
            for child in inner if isinstance(inner, list) else [inner]:
                yield from keywords(child)


def decoration(node: Any) -> set[str]:
    """Keywords that nothing enforces."""
    return set(keywords(node)) - ENFORCED - DESCRIBING


@pytest.mark.parametrize("name", names())
def test_every_keyword_of_a_shipped_schema_is_enforced(name: str) -> None:
    """A keyword that is misspelled would let everything pass."""
    assert decoration(schema(name)) == set()


def test_a_planted_keyword_that_nothing_enforces_is_seen() -> None:
    assert decoration({"minimun": 1, "properties": {"format": {"type": "string"}}}) == {"minimun"}
    assert decoration({"$defs": {"a": {"oneOf": [{"items": {"format": "uri"}}]}}}) == {"format"}


@pytest.mark.parametrize(
    ("document", "name", "text"),
    [
        ("envelope", "event_id_missing", "$.event_id is missing"),
        ("envelope", "unknown_field", "$.event_class is not a known field"),
        ("envelope", "seed_negative", "$.seed is -1, expected at least 0"),
        ("envelope", "event_id_too_long", f"$.event_id is '{'x' * 76}..., expected a length of at most 256"),
        ("payment", "amount_too_large", "$.amount_minor is 100000000000, expected less than 100000000000"),
        ("payment", "entity_name_empty", "$.entities has the name '', expected a length of at least 1"),
        ("payment", "entity_id_a_number", "$.entities.customer is 596, expected string or null"),
        ("payment", "too_many_entities", "$.entities has 33 fields, expected at most 32"),
        ("payment", "currency_lower_case", "$.currency is 'eur', expected text that matches ^[A-Z]{3}$"),
        ("label_assertion", "label_unknown", "$.label is 'MAYBE', expected one of FRAUD, LEGIT"),
        ("mapping", "kind_empty", "$.kind is {}, expected exactly one of the 2 forms"),
        ("mapping", "truth_at_once", "$.truth.delay is '0s', expected text that matches ^[1-9][0-9]{0,17}(us|ms|s|min|h|d)$"),
        ("run_ready", "another_event_type", "$.event_type is 'run_terminal', expected run_ready"),
        ("sealed_world", "part_without_digest", "$.stream_view[0].sha256 is missing"),
    ],
)
def test_a_fault_names_the_place_the_value_and_the_expectation(document: str, name: str, text: str) -> None:
    value = next(example.value for example in examples(document) if example.name == name)
    assert str(fault_of(f"{document}.v1", value)) == text


def test_a_name_that_is_no_word_is_quoted_in_the_path() -> None:
    value = {"kind": "k", "amount_minor": 1, "currency": "EUR", "entities": {"a b": 5}}
    assert str(fault_of("payment.v1", value)) == "$.entities['a b'] is 5, expected string or null"
