"""A graph of two segments that is small enough to be read: numbers, and their squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from assay.app.progress import unseen
from assay.app.stores.objects import DirectoryStore, ObjectStore
from assay.app.world.making import WorldMaker
from assay.contracts.gates import GateMethod
from assay.engine.identity import WorldIdentity, identity_of
from assay.engine.output import Column, Output
from assay.engine.parameters import Parameters, shipped
from assay.engine.segment import Check, Scene, Segment, State, Verdict

PARTS, ROWS = 4, 50
PARAMETERS: Parameters = shipped("tiny")
IDENTITY: WorldIdentity = identity_of(7, "baseline_v1", PARAMETERS.hash, {})
NUMBERS = Output("numbers", "1A", 1, (Column("number", "id"), Column("word", "text", words=("even", "odd"))), ("number",), "reference")
SQUARES = Output(
    "squares",
    "1B",
    1,
    (Column("number", "id"), Column("square", "int", nullable=True)),
    ("number",),
    "reference",
    identity=("seed", "manifest_fingerprint", "parameter_hash", "scenario_id"),
    tokens=("seed", "manifest_fingerprint", "scenario_id"),
    folder="powers",
)
TEXT_GATE = GateMethod("sha256_index_json_ascii_lex_raw_bytes")


def numbers(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The numbers of a part; the key stands for draws."""
    first = part * ROWS
    number = pl.int_range(first, first + ROWS, eager=True) + int(scene.key("start")) % 1000
    return {"numbers": pl.DataFrame({"number": number, "word": (number % 2).replace_strict({0: "even", 1: "odd"})})}


def squares(scene: Scene, part: int) -> Mapping[str, pl.DataFrame]:
    """The squares of the numbers of a part."""
    rows = scene.table("numbers", part, ["number"])
    return {"squares": rows.with_columns(square=pl.col("number") ** 2)}


def whole(scene: Scene) -> Verdict:
    """All squares are there."""
    found = len(scene.table("squares"))
    return Verdict(found == PARTS * ROWS, {"rows": found}, {"rows": PARTS * ROWS})


FIRST = Segment("1A", 1, (), (State("S1", (), (NUMBERS,), numbers, lambda _: PARTS),), (), TEXT_GATE)
SECOND = Segment(
    "1B", 1, ("1A",), (State("S1", ("numbers",), (SQUARES,), squares, lambda _: PARTS),), (Check("whole", ("squares",), whole),), TEXT_GATE
)
GRAPH = (FIRST, SECOND)


def maker(
    store: ObjectStore, graph: tuple[Segment, ...] = GRAPH, workers: int = 1, told: Callable[[str, int, int], object] = unseen
) -> WorldMaker:
    """A maker of the small world."""
    return WorldMaker(store, IDENTITY, PARAMETERS, graph, workers=workers, told=told)


def with_state(segment: Segment, **changes: object) -> Segment:
    """The segment with fields of its only state replaced."""
    return replace(segment, states=(replace(segment.states[0], **changes),))  # type: ignore[arg-type]


def files(store: DirectoryStore) -> dict[str, bytes]:
    """Every object of a store."""
    return {key: store.read(key) for key in store.keys("")}
