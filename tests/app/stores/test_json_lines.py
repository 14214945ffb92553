"""Lines only grow, are of their form, and a file that somebody changed is not read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from object_laws import EVENT

from assay.app.governance import SCHEMA
from assay.app.stores.json_lines import JsonLines, Line
from assay.app.stores.objects import DirectoryStore, ObjectChanged
from assay.contracts.canonical import canonical
from assay.contracts.errors import AssayError
from assay.contracts.reasons import Reason

KEY = "lines.jsonl"
GOOD = canonical(EVENT) + b"\n"


def test_lines_are_read_as_they_were_appended_and_nothing_is_appended_for_none(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    lines, seen = JsonLines(store, KEY, SCHEMA), list[int]()

    def decide(held: Sequence[Line]) -> Line | None:
        seen.append(len(held))
        return EVENT if len(held) < 2 else None

    assert lines.read() == []
    assert [lines.append(decide) for _ in range(3)] == [EVENT, EVENT, None]
    assert (lines.read(), seen) == ([EVENT, EVENT], [0, 1, 2])
    assert store.read(KEY) == GOOD * 2


@pytest.mark.parametrize(
    "held",
    [
        b"garbage\n",
        b"[" * 5_000 + b"\n",
        b"\n",
        b"[]\n",
        GOOD[:-1],
        GOOD.replace(b",", b", "),
        b'{"a":1}\n',
        GOOD + GOOD[:40],
        b'{"a":1.5}\n',
    ],
)
def test_a_file_that_somebody_changed_is_neither_read_nor_appended_to(tmp_path: Path, held: bytes) -> None:
    store = DirectoryStore(tmp_path)
    store.replace(KEY, held)
    for act in (lambda: JsonLines(store, KEY, SCHEMA).read(), lambda: JsonLines(store, KEY, SCHEMA).append(lambda _: EVENT)):
        with pytest.raises(AssayError) as refused:
            act()
        assert (refused.value.reason, refused.value.where) == (Reason.RUN_RECORD_DAMAGED, KEY)
    assert store.read(KEY) == held


def test_a_line_of_another_form_is_not_written(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    with pytest.raises(AssayError) as refused:
        JsonLines(store, KEY, SCHEMA).append(lambda _: {**EVENT, "event_family": "NONE"})
    assert refused.value.reason is Reason.SCHEMA_FAIL
    assert list(store.keys("")) == []


class Busy(DirectoryStore):
    """A store in which somebody else writes before each of the first `writers` swaps; `silent`: and the read shows nothing of it."""

    writers = 3
    silent = False

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        if self.writers:
            self.writers -= 1
            if not self.silent:
                self.replace(key, (expected or b"") + GOOD)
            raise ObjectChanged(key)
        super().swap(key, data, expected)


def test_a_line_goes_behind_those_that_others_appended_meanwhile(tmp_path: Path) -> None:
    store = Busy(tmp_path)
    JsonLines(store, KEY, SCHEMA).append(lambda held: {**EVENT, "dedupe_key": f"behind {len(held)}"})
    assert JsonLines(store, KEY, SCHEMA).read() == [EVENT] * 3 + [{**EVENT, "dedupe_key": "behind 3"}]


def test_a_store_that_refuses_for_a_change_which_it_does_not_show_is_not_asked_for_ever(tmp_path: Path) -> None:
    store = Busy(tmp_path)
    store.silent = True
    with pytest.raises(AssayError) as refused:
        JsonLines(store, KEY, SCHEMA).append(lambda _: EVENT)
    assert refused.value.reason is Reason.STORE_SILENT
