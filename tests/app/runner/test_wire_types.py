"""A document and its message say the same; the .proto file is that of the model."""

from __future__ import annotations

import re
from typing import Any

import pytest
from oracles.examples import examples
from source_tree import ROOT

from assay.app.runner.answers import RunAnswer
from assay.app.runner.wire_model import CALLS, FILE, messages, proto
from assay.app.runner.wire_types import document_of, message_of, message_types
from assay.contracts.limits import SEED_MAX

DOCUMENTS = {"sr_run_request": "RunRequest", "sr_reemit_request": "ReemitRequest", "sr_quarantine": "QuarantineNotice"}
ACCEPTED = [(DOCUMENTS[one.document], one.value) for one in examples() if one.document in DOCUMENTS and one.reason is None]


@pytest.mark.parametrize(("name", "document"), ACCEPTED)
def test_a_document_comes_back_from_its_message(name: str, document: dict[str, Any]) -> None:
    sent = message_types()[name].FromString(message_of(name, document).SerializeToString())
    assert document_of(sent) == {field: value for field, value in document.items() if value != []}


def test_the_greatest_seed_is_a_number_on_the_way_back() -> None:
    assert document_of(message_of("RunRequest", {"seed": SEED_MAX})) == {"seed": SEED_MAX}


def test_a_text_that_is_empty_is_told_from_one_that_is_not_there() -> None:
    assert document_of(message_of("RunRequest", {"invoker": ""})) == {"invoker": ""}
    assert document_of(message_of("RunRequest", {})) == {}


def test_every_field_of_an_answer_has_a_field_on_the_wire() -> None:
    (answer,) = [one for one in messages() if one.name == "RunAnswer"]
    assert tuple(field.name for field in answer.fields) == RunAnswer._fields


def test_the_file_that_is_shipped_declares_what_the_server_speaks() -> None:
    text = (ROOT / "docs" / FILE).read_text(encoding="utf-8")
    assert text == proto()
    assert re.findall(r"rpc (\w+)\((\w+)\) returns \((\w+)\)", text) == [(one.name, one.request, one.answer) for one in CALLS]
    for name, made in message_types().items():
        body = re.search(rf"^message {name} {{(.*?)}}$", text, re.DOTALL | re.MULTILINE)
        assert body is not None
        numbered = {field: int(number) for field, number in re.findall(r"(\w+) = (\d+);", body[1])}
        assert numbered == {field.name: field.number for field in made.DESCRIPTOR.fields}
