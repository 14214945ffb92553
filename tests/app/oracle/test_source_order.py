"""Payments of one time fold in the order of their file, and more rows at its end change nothing before them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from effort import drawn
from gated_worlds import config_over, gated, simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from small_worlds import NOW_US, ROWS, mapping, small_world

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.stores.objects import DirectoryStore
from assay.codecs.single_object import unpack
from assay.contracts.errors import Quarantine
from assay.contracts.handles import RTDL
from assay.contracts.reasons import Reason
from assay.tables.decisions import decision_json
from assay.tables.feature_plan import compile_plan

CASE = Path(__file__).parents[2] / "data" / "cases" / "07"


def decided(file: Path, mapping: str, policy: str) -> dict[str, dict[str, Any]]:
    """Features of each payment of a file, by the id it has there."""
    with tempfile.TemporaryDirectory() as room:
        world = import_world(file, load_mapping(mapping), DirectoryStore(Path(room) / "store"), NOW_US)
        config = config_over(world, policy)
        log = simulated(gated(world, config)).log
        view = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    source = dict(zip(view["event_id"], view["source_id"], strict=True))
    plan = compile_plan(config.features)
    told = [decision_json(unpack(value)[1], plan) for value in log.values(RTDL)]
    return {source[one["source_event"]["event_id"]]: one["features"] for one in told}


def test_payments_of_one_hour_fold_in_the_order_of_the_file_and_a_later_row_changes_none_of_them() -> None:
    before = decided(CASE / "input.csv", str(CASE / "mapping.yaml"), "handbook")
    after = decided(CASE / "input_and_one_later_row.csv", str(CASE / "mapping.yaml"), "handbook")
    assert {name: told["customer_count_1d"] for name, told in before.items()} == {f"p{number}": number for number in range(1, 9)}
    assert {name: after[name] for name in before} == before


def places(world: SealedWorld) -> dict[str, int]:
    view = pl.concat([world.stream_part(part) for part in world.manifest.stream_view])
    assert view["ts_us"].is_sorted()
    return dict(zip(view["source_id"], view["source_order"], strict=True))


@settings(max_examples=drawn(20), deadline=None)
@given(hours=st.lists(st.integers(0, 3), min_size=1, max_size=30), later=st.lists(st.integers(0, 3), max_size=10))
def test_rows_at_the_end_of_a_file_move_no_row_before_them(hours: list[int], later: list[int]) -> None:
    def world(folder: str, of: list[int]) -> SealedWorld:
        n = len(of)
        rows = {"id": [f"p{i}" for i in range(n)], "at": [f"2018-04-01T0{hour}:00:00Z" for hour in of], "why": [None] * n}
        rest = {"amount": "1.00", "who": "7", "shop": "m", "kind": "card", "channel": "web", "fraud": "no"}
        rows |= {name: [value] * n for name, value in rest.items()}
        return small_world(Path(room) / folder, pl.DataFrame(rows, schema_overrides={"why": pl.String}))

    with tempfile.TemporaryDirectory() as room:
        before, after = places(world("before", hours)), places(world("after", [*hours, *later]))
    assert {name: after[name] for name in before} == before
    for hour in range(4):
        assert [before[f"p{i}"] for i, of in enumerate(hours) if of == hour] == list(range(1, hours.count(hour) + 1))


@pytest.mark.parametrize(
    ("order", "p1", "p4"),
    [(["1", "2", "3", "4"], 1, 2), (["9", "2", "3", "4"], 2, 1), (["10", "0", "0", "9"], 2, 1), (["5", "5", "5", "5"], 1, 2)],
)
def test_a_column_orders_payments_of_one_time_by_its_numbers_then_by_the_file(tmp_path: Path, order: list[str], p1: int, p4: int) -> None:
    found = places(small_world(tmp_path, pl.DataFrame({**ROWS, "seq": order}), order="seq"))
    assert found == {"p1": p1, "p4": p4, "p2": 1, "p3": 1}


@pytest.mark.parametrize(
    ("seq", "reason", "where"),
    [
        (["1", None, "3", "4"], Reason.INPUT_VALUE_MISSING, "column 'seq', row 2"),
        (["1", "2", "3", "x"], Reason.INPUT_VALUE_INVALID, "column 'seq', row 4"),
        (["1", "2", "2.5", "4"], Reason.INPUT_VALUE_INVALID, "column 'seq', row 3"),
        ([1.0, 2.0, 3.0, 4.0], Reason.INPUT_COLUMN_TYPE, "column 'seq'"),
    ],
)
def test_a_column_that_cannot_order_is_refused(tmp_path: Path, seq: list[Any], reason: Reason, where: str) -> None:
    with pytest.raises(Quarantine) as refused:
        small_world(tmp_path, pl.DataFrame({**ROWS, "seq": seq}), order="seq")
    assert (refused.value.reason, refused.value.where) == (reason, where)


def test_a_mapping_without_an_order_column_says_so(tmp_path: Path) -> None:
    assert mapping().order is None
    with pytest.raises(Quarantine) as refused:
        small_world(tmp_path, order="seq")
    assert refused.value.reason is Reason.INPUT_COLUMN_MISSING
