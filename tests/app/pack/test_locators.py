"""Locators of a pack follow one closed schema; a list with another one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from oracles.examples import Example, examples

from assay.app.pack.locators import located

ALL = list(examples("output_locator"))


def _list(locator: Any) -> bytes:
    return json.dumps([{"locator": locator, "part": 0, "rows": 1}]).encode()


@pytest.mark.parametrize("example", [example for example in ALL if example.reason is None], ids=str)
def test_a_list_of_files_is_read(example: Example) -> None:
    assert [entry["locator"] for entry in located(_list(example.value))] == [example.value]


@pytest.mark.parametrize("example", [example for example in ALL if example.reason is not None], ids=str)
def test_a_locator_of_another_form_refuses_the_list(example: Example) -> None:
    with pytest.raises(ValueError, match="locator 0: "):
        located(_list(example.value))


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b"[1]", b"[{}]", b'[{"locator": {}}]', b'[{"locator": {}, "rows": "1"}]', b'[{"locator": {}, "rows": -1}]']
)
def test_a_list_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        located(data)
