"""Every decision of a run against a second reading of the input file: polars for order and features, plain Python for rules.

Nothing of the lane's path is used: not the importer's reading, not the streamer, gate, merge, folds or the compiled rules. What is
shared is what a row is called (`world_event_id`) and the two documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from gated_worlds import GatedWorld, config_over, gated, generated_world, simulated
from oracles.offline.features import LABEL, PAYMENT, offline_features
from oracles.rule_reference import score_row

from assay.codecs.avro_decode import decode
from assay.codecs.columns import Column, Ragged, Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.ids import world_event_id
from assay.contracts.pins import Pins
from assay.tables.feature_plan import compile_plan

ROWS = 8_000
FIELDS = frozenset({"source_event.event_id", "features", "score", "outcome", "reasons"})
#: time, topic's rank (labels before payments), event id: what the determinism contract says about order
ORDER = ("ts_us", "rank", "event_id")


def handbook(frame: pl.DataFrame) -> pl.DataFrame:
    """The shape's columns, read as its page describes them: labels of frauds, seven days later."""
    ts_us = pl.col("TX_DATETIME").cast(pl.Datetime("us")).dt.epoch("us")
    return frame.select(
        source=pl.col("TRANSACTION_ID"),
        ts_us=ts_us,
        amount_minor=(pl.col("TX_AMOUNT") * 100).round().cast(pl.Int64),
        label=pl.when(pl.col("TX_FRAUD") == 1).then(1),
        told_us=ts_us + 7 * 86_400_000_000,
        **{"entity.customer": pl.col("CUSTOMER_ID").cast(pl.String), "entity.terminal": pl.col("TERMINAL_ID").cast(pl.String)},
    )


def transfers(frame: pl.DataFrame) -> pl.DataFrame:
    """Labels of both kinds, at the time of the investigation; merchant and counterparty may be absent."""
    entities = {"account": "debtor_account", "party": "creditor_party", "merchant": "merchant_id", "device": "device_id"}
    return frame.select(
        source=pl.col("payment_id"),
        ts_us=pl.col("booked_at_ms") * 1_000,
        amount_minor=(pl.col("amount").cast(pl.Float64) * 100).round().cast(pl.Int64),
        label=pl.when(pl.col("investigation").is_not_null()).then((pl.col("investigation") == "confirmed_fraud").cast(pl.Int64)),
        told_us=pl.col("investigated_at_ms") * 1_000,
        **{f"entity.{name}": pl.col(column).cast(pl.String) for name, column in entities.items()},
    )


def lane_of(file: Path, read: Callable[[pl.DataFrame], pl.DataFrame], output_id: str, pins: Pins) -> pl.DataFrame:
    """Payments and labels of an input file in processing order."""
    rows = read(pl.read_parquet(file))
    ids = [world_event_id(output_id, [source], pins) for source in rows["source"].to_list()]
    rows = rows.with_columns(event_id=pl.Series(ids))
    payments = rows.with_columns(kind=pl.lit(PAYMENT), rank=pl.lit(3), label=pl.lit(-1), subject_event_id=pl.lit(None, pl.String))
    labels = rows.filter(pl.col("label").is_not_null()).with_columns(
        kind=pl.lit(LABEL), rank=pl.lit(1), ts_us=pl.col("told_us"), amount_minor=pl.lit(0), subject_event_id=pl.col("event_id"),
        event_id=pl.col("event_id").map_elements(lambda told: hashlib.sha256(told.encode()).hexdigest(), pl.String),
    )  # fmt: skip
    return pl.concat([payments, labels], how="vertical_relaxed").sort(*ORDER)


def expected(given: GatedWorld, lane: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each payment must be decided as."""
    config, plan = given.config, compile_plan(given.config.features)
    rows = pl.concat([lane, offline_features(config.features, lane)], how="horizontal").filter(pl.col("kind") == PAYMENT)
    for row in rows.iter_rows(named=True):
        score, outcome, reasons = score_row(config.policy, row)
        longs, doubles = ([row[name] for name in names] for names in (plan.long_names, plan.double_names))
        yield row["event_id"], {"longs": longs, "doubles": doubles, "score": score, "outcome": outcome, "reasons": reasons}


def decided(given: GatedWorld) -> dict[str, dict[str, Any]]:
    """What the lane decided, by event; an event decided twice fails the test."""
    values = Strings.of(simulated(given).log.values("FP_BUS_RTDL_V1"))
    columns = decode(plan_of("decision_response", FIELDS), values.data, values.starts, values.lengths, HEADER_BYTES).columns
    events = texts(columns["source_event.event_id"])
    assert len(set(events)) == len(events)
    lists = {name.rpartition(".")[2]: items(columns[name]) for name in ("features.longs", "features.doubles", "reasons")}
    scores = np.asarray(columns["score"]).tolist()
    plain = {"score": scores, "outcome": texts(columns["outcome"]), **lists}
    return {event: {name: plain[name][row] for name in plain} for row, event in enumerate(events)}


def texts(column: Column) -> list[str]:
    assert isinstance(column, Strings)
    return [text or "" for text in column.text()]


def items(column: Column) -> list[list[Any]]:
    """The lists of a column."""
    assert isinstance(column, Ragged)
    child = column.children["item"]
    flat = child.text() if isinstance(child, Strings) else np.asarray(child).tolist()
    return [flat[first:end] for first, end in pairwise(column.offsets.tolist())]


@pytest.mark.parametrize(("shape", "read"), [("handbook", handbook), ("transfers", transfers)])
def test_every_decision_equals_a_pass_over_the_input_file(shape: str, read: Callable[[pl.DataFrame], pl.DataFrame], tmp_path: Path) -> None:
    world = generated_world(tmp_path, shape, ROWS, 11)
    given = gated(world, config_over(world, shape))
    found = decided(given)
    assert len(found) == world.manifest.rows == ROWS, "one decision for each row of the sealed manifest"
    lane = lane_of(tmp_path / "in.parquet", read, world.manifest.output_id, given.config.pins)
    wanted = dict(expected(given, lane))
    assert found.keys() == wanted.keys()
    wrong = [event for event in wanted if found[event] != wanted[event]]
    assert not wrong, f"{len(wrong)} differ, first {wrong[0]}: {found[wrong[0]]} decided, {wanted[wrong[0]]} expected"
    assert_not_trivial(found, given.config.features)


def assert_not_trivial(found: Mapping[str, dict[str, Any]], features: Mapping[str, Any]) -> None:
    """Agreement about a world in which nothing happens would prove little."""
    assert len({decision["outcome"] for decision in found.values()}) >= 3
    plan = compile_plan(dict(features))
    for kind, names in (("longs", plan.long_names), ("doubles", plan.double_names)):
        for index, name in enumerate(names):
            assert len({decision[kind][index] for decision in found.values()}) > 1, f"{name} is the same for every payment"
