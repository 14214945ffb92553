"""State whose bytes are of the right form and say what cannot be: refused by name before room is made for it or machine code goes there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from feature_worlds import DOCUMENT, random_rows
from lane_tables import fold_in_batches
from states import read_back

from assay.codecs.table_state import MAGIC, TableState, blocks, read_state
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.dedupe import SeenIds
from assay.tables.entity_graph import EntityGraph
from assay.tables.feature_plan import compile_plan
from assay.tables.features import FeatureTable

PLAN = compile_plan(DOCUMENT)
FOLDED = fold_in_batches(PLAN, random_rows(3, 300), []).tables
MANY = 2**62


def refused(read: Any) -> str:
    """What the refusal says."""
    with pytest.raises(Stop) as refusal:
        read()
    assert refusal.value.reason is Reason.STATE_UNREADABLE
    return refusal.value.what


def headed(head: bytes, body: bytes = b"") -> bytes:
    """A state with this header."""
    return MAGIC + body + head + len(head).to_bytes(8, "little") + MAGIC


def sparse(rows: int, width: int, block_rows: int, body: bytes = b"") -> bytes:
    """A state of one sparse array that has these bytes."""
    form = {"at": 8, "block_rows": block_rows, "bytes": len(body), "dtype": "<i8", "form": "sparse", "shape": [rows, width]}
    return headed(canonical({"arrays": {"a": form}, "state": {}}), body)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (sparse(2**31, 16, 1), "not the bytes of its shape"),
        (sparse(MANY, 0, 1), "not the bytes of its shape"),
        (sparse(MANY, 0, MANY, bytes(7)), "not the bytes of its shape"),
        (sparse(1, 16, 0, bytes(16)), "not the bytes of its shape"),
        (headed(canonical({"arrays": {}, "state": []})), "no object"),
        (headed(b'{"arrays":{},"state":{"horizon_us":1.0}}'), "cannot be read"),
        (headed(b'{"arrays": {},"state":{}}'), "not as it was written"),
    ],
)
def test_a_header_that_speaks_of_more_than_there_is_is_refused(value: bytes, says: str) -> None:
    assert says in refused(lambda: read_state(value))


def test_a_sparse_block_with_one_word_for_several_bits_is_refused() -> None:
    block = (1).to_bytes(8, "little") + (0b11).to_bytes(8, "little") + (7).to_bytes(8, "little")
    assert "bitmap" in refused(lambda: read_state(sparse(1, 16, 1, block)).array("a"))


def changed(state: TableState, array: str, change: Any) -> TableState:
    """The state with one array changed, read back from its bytes."""
    return read_state(b"".join(blocks(TableState(state.header, {**state.arrays, array: change(state.array(array))}))))


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("account.lengths", lambda held: held + 1),
        ("account.lengths", lambda held: np.array([-8, *held[1:-1], held[-1] + held[0] + 8])),
        ("account.marks", lambda held: held + 7),
        ("account.marks", lambda held: held[:-1]),
        ("account.free", lambda held: np.array([10**6], np.int32)),
        ("account.free", lambda held: np.array([0], np.int32)),
        ("account.sweep", lambda held: np.array([-1])),
        ("account.versions", lambda held: held[:-1]),
        ("account.versions", lambda held: held - 2),
        ("account.versions", lambda held: held.astype(np.int64)),
        ("account.versions_base", lambda held: held - 1),
    ],
)
def test_a_graph_state_that_points_outside_of_itself_is_refused(array: str, change: Any) -> None:
    state = changed(read_back(FOLDED.graph), array, change)
    refused(lambda: EntityGraph.from_state(PLAN, state))


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("subjects.range", lambda held: np.array([0, MANY])),
        ("subjects.range", lambda held: held - 2**40),
        ("subjects.slots", lambda held: held + 10**6),
        ("subjects.slots", lambda held: held - 10**6),
        ("windows.account.versions", lambda held: held[:-1]),
        ("windows.account.versions", lambda held: np.append(held, np.ones(99, np.int32))),
        ("windows.account.lines", lambda held: held[:1]),
        *((f"windows.{p.name}.pairs.{other}", lambda held: held + 10**6) for p in PLAN.entity_plans for other in p.pair_entities),
    ],
)
def test_a_feature_state_that_points_outside_of_itself_or_of_the_graph_is_refused(array: str, change: Any) -> None:
    state = changed(read_back(FOLDED.features), array, change)
    refused(lambda: FeatureTable.from_state(PLAN, FOLDED.graph.view(), state))


def test_windows_of_more_slots_than_the_graph_has_are_refused() -> None:
    """Lines and versions that fit each other, and pairs and payments of known slots."""
    state, more = read_back(FOLDED.features), 99
    longer = {
        name: np.concatenate([state.array(name), np.ones((more, *state.array(name).shape[1:]), state.array(name).dtype)])
        for name in ("windows.device.lines", "windows.device.versions")
    }
    both = read_state(b"".join(blocks(TableState(state.header, {**state.arrays, **longer}))))
    assert "device" in refused(lambda: FeatureTable.from_state(PLAN, FOLDED.graph.view(), both))


def test_a_feature_state_over_the_graph_of_another_moment_is_refused() -> None:
    """It would speak of slots that nobody has."""
    refused(lambda: FeatureTable.from_state(PLAN, EntityGraph(PLAN).view(), read_back(FOLDED.features)))


@pytest.mark.parametrize("change", [{"base": -1}, {"base": MANY}, {"horizon_us": -1}, {"max_rows": 0}])
def test_seen_ids_out_of_range_are_refused(change: dict[str, int]) -> None:
    state = read_back(FOLDED.seen)
    refused(lambda: SeenIds.from_state(TableState({**state.header, **change}, state.arrays)))


#: what an entry had before: where its id was first met stood behind the five words of today
FORMER_WORDS = 7


@pytest.mark.parametrize(("said", "width"), [(None, FORMER_WORDS), (FORMER_WORDS, FORMER_WORDS), (5, FORMER_WORDS), (None, 5), (5, 4)])
def test_seen_ids_of_another_layout_are_refused_instead_of_misread(said: int | None, width: int) -> None:
    state = read_back(FOLDED.seen)
    header = {name: value for name, value in state.header.items() if name != "entry_words"} | ({"entry_words": said} if said else {})
    entries = np.zeros((len(state.array("entries")), width), np.int64)
    assert "entries of" in refused(lambda: SeenIds.from_state(TableState(header, {"entries": entries})))
