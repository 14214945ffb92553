"""What a call says of its body, and how deep a body nests: what is not taken is refused with a code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gate_events import NOW_US, SCOPE, event, examined, paid, raw

from assay.app.gate.admission import RefusedEvent
from assay.app.gate.border import items_of, one_item
from assay.app.gate.media_types import BATCH_TYPES, batch_reader, check_json
from assay.app.gate.nesting import is_deep
from assay.app.gate.requests import mark_of
from assay.app.gate.short_forms import payment_of
from assay.contracts.errors import Quarantine
from assay.contracts.limits import NESTING_MAX
from assay.contracts.reasons import Reason


def refusal_of(read: Callable[[], object]) -> Quarantine:
    with pytest.raises(Quarantine) as refused:
        read()
    assert refused.value.remedy.endswith(".")
    return refused.value


@pytest.mark.parametrize("said", ["", "application/json", "Application/JSON; charset=UTF-8", "text/plain", "application/octet-stream"])
def test_a_body_that_says_nothing_of_itself_is_json(said: str) -> None:
    check_json(said)
    assert batch_reader(said) is items_of


@pytest.mark.parametrize(
    ("said", "documented"),
    [
        ("application/x-ndjson; charset=utf-8", "application/x-ndjson"),
        ("application/ndjson", "application/x-ndjson"),
        ("application/jsonl", "application/x-ndjson"),
        ("avro/binary", "application/avro"),
        *((name, name) for name in BATCH_TYPES),
    ],
)
def test_a_format_is_known_by_its_names(said: str, documented: str) -> None:
    assert batch_reader(said) is BATCH_TYPES[documented]


@pytest.mark.parametrize(
    "said", ["text/csv", "application/parquet", "json", "application/json; charset=latin-1", "multipart/form-data; boundary=x"]
)
def test_another_type_is_told_those_that_are_taken(said: str) -> None:
    found = refusal_of(lambda: batch_reader(said))
    assert (found.reason, found.where) == (Reason.MEDIA_TYPE_UNSUPPORTED, "Content-Type")
    assert "application/avro" in found.remedy
    assert "application/avro" not in refusal_of(lambda: check_json("application/avro")).remedy


def lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (lists(4), False),
        (lists(5), True),
        (b"[" * 5, True),
        (b"[[[[" + b"[],{}," * 9 + b"]]]]", True),
        (b"[[[" + b"[],{}," * 9 + b"]]]", False),
        (b'{"a":"[[[[[[\\"[[[["}' * 3, False),
        (b'{"a":{"b":[{"c":{}}]}}', True),
        pytest.param(b"[[[[]" + b"[]" * (1 << 20) + b"]]]", False, id="long and not deep"),
        pytest.param(b"[[[[]" + b"[]" * (1 << 20) + b"[[]]]]]", True, id="deep at its end"),
    ],
)
def test_the_depth_of_a_text_is_that_of_its_brackets_outside_of_texts(text: bytes, deep: bool) -> None:
    assert is_deep(text, 4) == deep


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(raw(event())[:-1] + b',"colour":' + lists(NESTING_MAX) + b"}", id="a field of the envelope"),
        pytest.param(raw(event(payload=paid(attributes={"a": "?"}))).replace(b'"?"', lists(NESTING_MAX)), id="an attribute"),
        pytest.param(lists(NESTING_MAX + 1), id="lists alone"),
        pytest.param(b"[" * (NESTING_MAX + 1), id="a text that ends early"),
        pytest.param(lists(100_000), id="deeper than any reader goes"),
    ],
)
def test_an_item_that_nests_too_deep_is_told_so(document: bytes) -> None:
    item = examined(document)
    assert isinstance(item, RefusedEvent)
    assert (item.reason, item.where) == (Reason.NESTING_TOO_DEEP, "$")


@pytest.mark.parametrize(
    "read",
    [
        one_item,
        lambda body: items_of(body, 9),
        lambda body: mark_of(body, SCOPE, ["traffic"]),
        lambda body: payment_of(body, SCOPE, NOW_US, 0),
    ],
)
def test_a_call_that_nests_deeper_than_it_can_be_read_is_told_so(read: Callable[[bytes], object]) -> None:
    assert refusal_of(lambda: read(lists(100_000))).reason is Reason.NESTING_TOO_DEEP
