"""The column codec against a plain Avro library: random schemas, random records, both directions, damaged bytes."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import numpy as np
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.codecs.avro_decode import REASONS, decode
from assay.codecs.avro_encode import encode
from assay.codecs.avro_plan import compile_schema
from assay.codecs.avro_schema import Node, Op
from assay.codecs.columns import Column, Columns, Ragged, Strings, rows, take
from assay.contracts.reasons import Reason

Case = tuple[dict[str, Any], list[dict[str, Any]]]

LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200),
    "int": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False),
    "float": st.floats(allow_nan=False, width=32),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    "bytes": st.binary(max_size=40),
}


@st.composite
def typed(draw: st.DrawFn, depth: int, names: list[int]) -> tuple[Any, st.SearchStrategy[Any]]:
    """A schema of the supported subset and a strategy for its values."""
    kinds = [*LEAVES, "fixed", "enum", *(["array", "map", "record", "option"] if depth else [])]
    kind = draw(st.sampled_from(kinds))
    if kind in LEAVES:
        return kind, LEAVES[kind]
    names.append(0)
    name = f"n{len(names)}"
    if kind == "fixed":
        size = draw(st.integers(1, 40))
        return {"type": "fixed", "name": name, "size": size}, st.binary(min_size=size, max_size=size)
    if kind == "enum":
        symbols = [f"S{i}" for i in range(draw(st.integers(1, 4)))]
        return {"type": "enum", "name": name, "symbols": symbols}, st.sampled_from(symbols)
    if kind == "record":
        return draw(record(depth - 1, names, name))
    if kind == "option":
        inner, values = draw(typed(0, names))
        null_first = draw(st.booleans())
        return (["null", inner] if null_first else [inner, "null"]), st.none() | values
    inner, values = draw(typed(depth - 1, names))
    if kind == "array":
        return {"type": "array", "items": inner}, st.lists(values, max_size=3)
    return {"type": "map", "values": inner}, st.dictionaries(LEAVES["string"], values, max_size=3)


@st.composite
def record(draw: st.DrawFn, depth: int, names: list[int], name: str) -> tuple[Any, st.SearchStrategy[Any]]:
    """A record schema with one to four fields."""
    fields = {f"f{i}": draw(typed(depth, names)) for i in range(draw(st.integers(1, 4)))}
    schema = {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, (kind, _) in fields.items()]}
    return schema, st.fixed_dictionaries({key: values for key, (_, values) in fields.items()})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A record schema and a few records."""
    schema, values = draw(record(2, [], "top"))
    return schema, draw(st.lists(values, min_size=1, max_size=5))


def written(schema: Any, values: list[dict[str, Any]]) -> list[bytes]:
    """Bodies as the plain library writes them."""
    parsed = fastavro.parse_schema(schema)
    bodies = []
    for value in values:
        body = io.BytesIO()
        fastavro.schemaless_writer(body, parsed, value)
        bodies.append(body.getvalue())
    return bodies


def value_at(node: Node, columns: Columns, row: int) -> Any:
    """One value of one row, rebuilt from columns; enums stay numbers, strings bytes, maps lists of pairs."""
    if node.op is Op.RECORD:
        return [value_at(part, columns, row) for part in node.parts]
    if node.op is Op.OPTION:
        mask = columns.get(f"{node.path}?")
        if isinstance(mask, np.ndarray) and not mask[row]:
            return None
        return value_at(node.parts[0], columns, row)
    column: Column = columns[node.path]
    if isinstance(column, Ragged):
        items = range(int(column.offsets[row]), int(column.offsets[row + 1]))
        values = [[value_at(part, column.children, item) for part in node.parts] for item in items]
        return [value[0] for value in values] if len(node.parts) == 1 else values
    if isinstance(column, Strings):
        return column.row(row)
    cell: Any = column[row]
    return cell.tobytes() if node.op is Op.FIXED else cell.item()


def plain(schema: Any, node: Node, value: Any) -> Any:
    """A library value in the form `value_at` gives."""
    if node.op is Op.RECORD:
        return [plain(field["type"], part, value[field["name"]]) for field, part in zip(schema["fields"], node.parts, strict=True)]
    if node.op is Op.OPTION:
        return None if value is None else plain(next(kind for kind in schema if kind != "null"), node.parts[0], value)
    if node.op is Op.ARRAY and schema["type"] == "array":
        return [plain(schema["items"], node.parts[0], item) for item in value]
    if node.op is Op.ARRAY:
        return [[key.encode(), plain(schema["values"], node.parts[1], item)] for key, item in value.items()]
    if node.op is Op.ENUM:
        return schema["symbols"].index(value)
    return value.encode() if node.op is Op.STRING else int(value) if node.op is Op.BOOLEAN else value


def without_repeated_keys(node: Node, value: Any) -> Any:
    """The value with the last of equal map keys only, as a dictionary would keep them."""
    if value is None or not node.parts:
        return value
    if node.op is Op.OPTION:
        return without_repeated_keys(node.parts[0], value)
    if node.op is Op.RECORD:
        return [without_repeated_keys(part, item) for part, item in zip(node.parts, value, strict=True)]
    if node.parts[0].path == "key":
        return [[key, item] for key, item in {key: without_repeated_keys(node.parts[1], item) for key, item in value}.items()]
    if len(node.parts) == 1:
        return [without_repeated_keys(node.parts[0], item) for item in value]
    return [[without_repeated_keys(part, cell) for part, cell in zip(node.parts, item, strict=True)] for item in value]


@given(cases())
@settings(deadline=None, max_examples=drawn(150))
def test_columns_hold_what_the_plain_library_wrote_and_give_its_bytes_back(case: Case) -> None:
    schema, values = case
    bodies = written(schema, values)
    plan = compile_schema(schema)
    decoded = decode(plan, *Strings.of(bodies))
    assert decoded.verdict.tolist() == [0] * len(values)
    found = [value_at(plan.root, decoded.columns, row) for row in range(len(values))]
    assert found == [plain(schema, plan.root, value) for value in values]
    assert encode(plan, decoded.columns).tolist() == bodies


@given(cases(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=drawn(80))
def test_damaged_bytes_get_a_verdict_and_good_ones_read_as_the_plain_library_reads_them(case: Case, seed: int) -> None:
    schema, values = case
    random = np.random.default_rng(seed)
    damaged = []
    for body in written(schema, values) * 4:
        changed = bytearray(body)
        for _ in range(int(random.integers(1, 4))):
            changed[int(random.integers(len(changed)))] = int(random.integers(256))
        damaged.append(bytes(changed))
    plan, parsed = compile_schema(schema), fastavro.parse_schema(schema)
    decoded = decode(plan, *Strings.of(damaged))
    for row in np.flatnonzero(decoded.verdict == 0).tolist():
        value: Any = fastavro.schemaless_reader(io.BytesIO(damaged[row]), parsed, None)
        # repr, because a flipped bit can make a NaN
        assert repr(without_repeated_keys(plan.root, value_at(plan.root, decoded.columns, row))) == repr(plain(schema, plan.root, value))


@given(cases())
@settings(deadline=None, max_examples=drawn(50))
def test_a_body_cut_anywhere_is_truncated_and_one_byte_more_is_oversized(case: Case) -> None:
    schema, values = case
    body = written(schema, values[:1])[0]
    plan = compile_schema(schema)
    cut = decode(plan, *Strings.of([body[:size] for size in range(len(body))]))
    assert {REASONS[verdict] for verdict in cut.verdict} <= {Reason.BYTES_TRUNCATED}
    longer = decode(plan, *Strings.of([body + b"\0"]))
    assert REASONS[longer.verdict[0]] is Reason.BYTES_OVERSIZED


@given(cases(), st.integers(0, 30))
@settings(deadline=None, max_examples=drawn(50))
def test_a_refused_row_is_empty_and_leaves_its_neighbours_alone(case: Case, cut: int) -> None:
    schema, values = case
    bodies = written(schema, values)
    plan = compile_schema(schema)
    mixed = [part for body in bodies for part in (body, body[: min(cut, len(body) - 1)])]
    decoded = decode(plan, *Strings.of([*mixed, b""]))
    alone = decode(plan, *Strings.of(bodies))
    empty = decode(plan, *Strings.of([b""]))
    for row in range(len(bodies)):
        kept = value_at(plan.root, decoded.columns, 2 * row)
        assert kept == value_at(plan.root, alone.columns, row)
        assert value_at(plan.root, decoded.columns, 2 * row + 1) == value_at(plan.root, empty.columns, 0)


@given(cases(), st.data())
@settings(deadline=None, max_examples=drawn(60))
def test_reading_some_columns_gives_the_same_columns(case: Case, data: st.DataObject) -> None:
    schema, values = case
    packed = Strings.of(written(schema, values))
    whole = decode(compile_schema(schema), *packed)
    chosen = data.draw(st.sets(st.sampled_from([field["name"] for field in schema["fields"]])))
    some = decode(compile_schema(schema, only=chosen), *packed)
    expected = {name for name in whole.columns if name.rstrip("?").split(".")[0] in chosen}
    assert set(some.columns) == expected
    assert some.verdict.tolist() == whole.verdict.tolist()
    plan = compile_schema(schema)
    for row in range(rows(whole.columns) if chosen else 0):
        for part in plan.root.parts:
            if part.path in chosen:
                assert value_at(part, some.columns, row) == value_at(part, whole.columns, row)


@given(cases(), st.integers(0, 7))
@settings(deadline=None, max_examples=drawn(40))
def test_records_are_read_at_their_place_inside_a_larger_buffer(case: Case, skip: int) -> None:
    schema, values = case
    bodies = [b"\xff" * skip + body for body in written(schema, values)]
    packed = Strings.of(bodies)
    around = np.concatenate([np.full(9, 255, np.uint8), packed.data, np.full(9, 255, np.uint8)])
    plan = compile_schema(schema)
    decoded = decode(plan, around, packed.starts + 9, packed.lengths, skip)
    assert decoded.verdict.tolist() == [0] * len(values)
    assert encode(plan, decoded.columns).tolist() == [body[skip:] for body in bodies]


@given(cases())
@settings(deadline=None, max_examples=drawn(40))
def test_rows_that_are_all_the_same_encode_as_one_row_does(case: Case) -> None:
    schema, values = case
    body = written(schema, values[:1])[0]
    plan = compile_schema(schema)
    one = decode(plan, *Strings.of([body])).columns
    several = {name: _repeated(column, 3) for name, column in one.items()}
    assert encode(plan, several).tolist() == [body] * 3


def _repeated(column: Column, times: int) -> Column:
    """The column's first row, `times` times; numbers by a stride of 0."""
    if isinstance(column, np.ndarray):
        return np.broadcast_to(column[0], (times, *column.shape[1:]))
    return take({"": column}, np.zeros(times, np.int64))[""]
