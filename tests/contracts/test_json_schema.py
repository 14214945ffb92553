"""The reader of our JSON Schemas: agrees with the reference reader, and refuses to ignore a keyword."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.examples import examples

from assay.contracts.json_schema import fault_of, faults, names, schema

ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.text(max_size=3), st.just("x" * 300), st.just({}), st.just([]), st.just(0.5)
)


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, Any]:
    """An accepted example with one place replaced, removed or added."""
    example = draw(st.sampled_from([example for example in examples() if example.reason is None]))
    value = copy.deepcopy(example.value)
    place: Any = value
    while True:
        key = draw(st.sampled_from([*place, "surplus"])) if isinstance(place, dict) else draw(st.integers(0, len(place) - 1))
        child = place.get(key) if isinstance(place, dict) else place[key]
        if isinstance(child, (dict, list)) and child and draw(st.booleans()):
            place = child
            continue
        if key != "surplus" and isinstance(place, dict) and draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(ODD)
        return f"{example.document}.{example.version}", value


@given(broken())
def test_one_change_anywhere_is_judged_as_the_reference_reader_judges_it(case: tuple[str, Any]) -> None:
    """Accepted by both or refused by both."""
    name, value = case
    assert (fault_of(name, value) is None) == jsonschema.Draft202012Validator(schema(name)).is_valid(value)


@pytest.mark.parametrize("name", names())
def test_a_shipped_schema_is_valid_and_closed(name: str) -> None:
    """Draft 2020-12, and no unknown field passes."""
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["additionalProperties"] is False


def test_a_keyword_that_is_not_enforced_is_refused() -> None:
    """Nothing in a schema file is decoration."""
    with pytest.raises(ValueError, match="keyword multipleOf at \\$ is not enforced"):
        list(faults({"multipleOf": 2}, 3, {}))


def test_an_end_of_line_does_not_pass_an_anchored_pattern() -> None:
    """`$` means the end, not the end of a line."""
    assert next(faults({"pattern": "^a$"}, "a\n", {}), None) is not None


def test_a_fault_names_the_place_and_what_is_wrong() -> None:
    """As a person reads it."""
    value = next(example.value for example in examples("payment") if example.name == "entity_name_empty")
    assert str(fault_of("payment.v1", value)) == "$.entities. as a name is '', characters at least 1"
