"""The entities of a decision are those that its payment names, each under its own name, in any script and any number."""

from __future__ import annotations

import io
from collections.abc import Sequence

import fastavro
import numpy as np
import pytest
from decision_rows import FEATURES, decided, steps
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.agents.decision_entities import EntityBodies
from assay.codecs.columns import Columns, Strings, settled_columns
from assay.tables.row_kinds import LABEL

NAMES = ("customer", "terminal", "Empfänger", "ip")
IDS = st.none() | st.text(max_size=12) | st.sampled_from(["", "Ж" * 300, "🙂", "c-1"])


def columns_of(rows: Sequence[Sequence[str | None]], names: Sequence[str] = NAMES) -> Columns:
    """A column of ids per entity."""
    return settled_columns({f"entity.{name}": Strings.of([row[k] for row in rows]) for k, name in enumerate(names)})


def read(bodies: Strings) -> list[dict[str, str]]:
    """Avro maps, read by another implementation to their last byte."""
    found = []
    for body in bodies.tolist():
        source = io.BytesIO(body or b"")
        found.append(fastavro.schemaless_reader(source, {"type": "map", "values": "string"}, None))
        assert source.read() == b""
    return found  # type: ignore[return-value]  # a map


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(*[IDS] * len(NAMES)), min_size=1, max_size=30), min_size=1, max_size=4), st.data())
def test_each_row_has_the_ids_it_names_whatever_came_before(batches: list[list[tuple[str | None, ...]]], data: st.DataObject) -> None:
    width = data.draw(st.integers(1, len(NAMES)))
    names = NAMES[:width]
    bodies = EntityBodies(names)
    for rows in batches:
        expected = [{name: row[k] for k, name in enumerate(names) if row[k] is not None} for row in rows]
        assert read(bodies.of(columns_of(rows, names), len(rows))) == expected


def test_rows_chosen_from_a_larger_batch_keep_their_own_ids() -> None:
    columns = columns_of([(f"c{row}", None, f"E{row}", f"{row}" * row) for row in range(9)])
    index = np.array([7, 2, 2, 0])
    chosen = {name: column.take(index) for name, column in columns.items() if isinstance(column, Strings)}
    found = read(EntityBodies(NAMES).of(settled_columns(chosen), len(index)))
    assert found == [{"customer": f"c{row}", "Empfänger": f"E{row}", "ip": f"{row}" * row} for row in index.tolist()]


def test_bodies_of_one_batch_stay_when_the_next_one_is_written() -> None:
    """They may wait in a decision that is not emitted yet."""
    bodies = EntityBodies(NAMES)
    first = bodies.of(columns_of([("a", "b", "c", "d")]), 1)
    bodies.of(columns_of([("x", "y", "z", "w")]), 1)
    assert read(first) == [dict(zip(NAMES, "abcd", strict=True))]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "BHD"])
def test_a_decision_carries_amount_currency_and_entities_of_its_own_row(currency: str) -> None:
    named, nobody = {"entities": {"customer": "Käufer Ж"}, "amount": 2**62, "currency": currency}, {"amount": 0}
    first, second = decided(steps(), [{"kind": LABEL}, named, nobody])
    assert (first["amount_minor"], first["currency"], first["entities"]) == (2**62, currency, {"customer": "Käufer Ж"})
    assert (second["amount_minor"], second["currency"], second["entities"]) == (0, "EUR", {})
    assert FEATURES.entities == ("customer",)
