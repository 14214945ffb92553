"""An encoder that is kept: whatever batches came before, a batch has the bytes it has alone, and what was given stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.avro_encode import Encoder, encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.columns import Columns, Ragged, Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

ITEM = {"type": "record", "name": "item", "fields": [{"name": "name", "type": "string"}, {"name": "n", "type": "int"}]}
PLAN = compile_schema({
    "type": "record", "name": "r",
    "fields": [
        {"name": "at", "type": "long"},
        {"name": "id", "type": {"type": "fixed", "name": "f", "size": 4}},
        {"name": "maybe", "type": ["null", "string"]},
        {"name": "share", "type": "double"},
        {"name": "items", "type": {"type": "array", "items": ITEM}},
        {"name": "marks", "type": {"type": "array", "items": "long"}},
        {"name": "inner", "type": {"type": "record", "name": "i", "fields": [{"name": "t", "type": "string"}]}},
    ],
})  # fmt: skip
CONSTANT = {"id": b"\1\2\3\4"}


def batch(n: int, items: int, seed: int) -> Columns:
    """n records with so many items each; the texts lie in a buffer with other bytes between them."""
    drawn = np.random.default_rng(seed)
    texts = Strings.of([None if drawn.integers(4) == 0 else "x" * int(drawn.integers(9)) for _ in range(2 * n)])
    offsets = np.arange(n + 1) * items
    names = Strings.of([f"item {k}" for k in range(items * n)])
    return {
        "maybe": texts.take(np.arange(n) * 2),
        "share": drawn.normal(size=n),
        "items": Ragged(offsets, {"name": names, "n": drawn.integers(-9, 9, items * n)}),
        "marks": Ragged(offsets // 2, {"item": drawn.integers(-(2**40), 2**40, items * n)}),
        "inner.t": Strings.of([f"t{k}" for k in range(n)]),
    }


@settings(max_examples=drawn(30), deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 20, 63, 64, 65, 200, 1_000]), st.sampled_from([0, 1, 3, 70])), min_size=1, max_size=5))
def test_what_came_before_changes_no_batch_and_no_batch_changes_what_came_before(sizes: list[tuple[int, int]]) -> None:
    kept = Encoder(PLAN, CONSTANT)
    given = [(batch(n, items, seed), {"at": seed - 3}) for seed, (n, items) in enumerate(sizes)]
    found = [kept.encode(columns, more) for columns, more in given]
    assert [one.tolist() for one in found] == [encode(PLAN, columns, {**CONSTANT, **more}).tolist() for columns, more in given]


def test_a_large_buffer_with_few_rows_in_it_is_not_copied_whole() -> None:
    rows = Strings(np.full(1_000_000, ord("x"), np.uint8), np.array([999_990, 5]), np.array([10, 2], np.int32))
    plan = compile_schema({"type": "record", "name": "r", "fields": [{"name": "t", "type": "string"}]})
    encoder = Encoder(plan)
    assert encoder.encode({"t": rows}).tolist() == [b"\x14" + b"x" * 10, b"\x04xx"]
    assert encoder._memory is not None
    assert len(encoder._memory.pool) < 1_000


@pytest.mark.parametrize("sizes", [[1, 2000], [2000, 1], [64, 65, 0, 300]])
def test_fixed_of_several_widths_keep_their_places_in_every_batch(sizes: list[int]) -> None:
    widths = [16, 1, 32, 40, 5, 8]
    fields = [{"name": f"f{i}", "type": {"type": "fixed", "name": f"t{i}", "size": width}} for i, width in enumerate(widths)]
    encoder, drawn = Encoder(compile_schema({"type": "record", "name": "r", "fields": fields})), np.random.default_rng(0)
    for n in sizes:
        wide = drawn.integers(0, 256, (n, sum(widths)), np.uint8)
        parts = np.split(wide, np.cumsum(widths)[:-1], axis=1)
        columns: Columns = {f"f{i}": part for i, part in enumerate(parts)}
        assert encoder.encode(columns).tolist() == [row.tobytes() for row in wide]


REFUSED: dict[str, tuple[Columns, str]] = {
    "text outside of its bytes": ({"inner.t": Strings(np.zeros(2, np.uint8), np.array([0, 1]), np.array([2, 2], np.int32))}, "inner.t"),
    "text before its bytes": ({"inner.t": Strings(np.zeros(2, np.uint8), np.array([-1, 1]), np.array([1, 1], np.int32))}, "inner.t"),
    "lists outside of their items": ({"marks": Ragged(np.array([0, 1, 9]), {"item": np.zeros(2, np.int64)})}, "marks"),
    "lists that go back": ({"marks": Ragged(np.array([2, 1, 2]), {"item": np.zeros(2, np.int64)})}, "marks"),
    "lists before their items": ({"marks": Ragged(np.array([-1, 0, 2]), {"item": np.zeros(2, np.int64)})}, "marks"),
    "fewer rows": ({"share": np.zeros(1)}, "share"),
    "another kind": ({"inner.t": np.zeros(2, np.int64)}, "inner.t"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_batch_is_refused_by_its_column_and_the_next_one_is_written(what: str) -> None:
    wrong, path = REFUSED[what]
    kept, good = Encoder(PLAN, CONSTANT), batch(2, 1, 0)
    before = kept.encode(good, {"at": 1}).tolist()
    with pytest.raises(Stop, match=path) as refused:
        kept.encode({**good, **wrong}, {"at": 1})
    assert refused.value.reason is Reason.COLUMNS_MISMATCH
    assert kept.encode(good, {"at": 1}).tolist() == before


def test_a_batch_without_a_constant_that_the_first_one_brought_is_refused() -> None:
    kept, good = Encoder(PLAN, CONSTANT), batch(2, 1, 0)
    kept.encode(good, {"at": 1})
    with pytest.raises(Stop, match="'at' is missing"):
        kept.encode(good)
    with pytest.raises(Stop, match="cannot be the constant"):
        kept.encode(good, {"at": 2**63})


def test_a_number_that_its_type_cannot_hold_names_its_field() -> None:
    good = batch(2, 1, 0)
    given = good["items"]
    assert isinstance(given, Ragged)
    wrong = Ragged(given.offsets, {**given.children, "n": np.array([1, 2**31])})
    with pytest.raises(Stop, match="row 1") as refused:
        encode(PLAN, {**good, "items": wrong}, {**CONSTANT, "at": 0})
    assert refused.value.where == "n"
