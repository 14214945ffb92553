"""Workload W: the same events in every form, and the values every contestant computes of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bench.peers import faust_plain
from oracles.windows_reference import Payment, ReferenceFeatures

from assay.app.bench import checks, workload_w
from assay.app.bench.checks import decisions_in_memory
from assay.app.bench.lane import bench_config
from assay.app.bench.stats import spread
from assay.codecs.single_object import unpack
from assay.tables.feature_plan import compile_plan

EVENTS = 1_500
#: so far apart, the same number of events empties windows of seven days
SPARSE_MS = 200 * workload_w.STEP_MS
DAY_US = 86_400_000_000
CONFIG = bench_config()


@pytest.fixture(scope="module", params=[workload_w.STEP_MS, SPARSE_MS])
def payments(request: pytest.FixtureRequest) -> workload_w.Payments:
    return workload_w.draw(EVENTS, step_ms=request.param)


@pytest.fixture(scope="module")
def records(payments: workload_w.Payments) -> list[tuple[bytes | None, bytes]]:
    blocks = workload_w.records(payments, CONFIG.pins, CONFIG.run_id)
    return [pair for keys, values in blocks for pair in zip(keys.tolist(), [v or b"" for v in values.tolist()], strict=True)]


@pytest.fixture(scope="module")
def documents(payments: workload_w.Payments) -> list[dict[str, Any]]:
    return [json.loads(text) for text in workload_w.documents(payments)]


@pytest.fixture(scope="module")
def decided(records: list[tuple[bytes | None, bytes]]) -> list[dict[str, Any]]:
    return [unpack(value or b"")[1] for values in decisions_in_memory(CONFIG, records) for value in values.tolist()]


def test_records_and_documents_say_the_same(records: list[tuple[bytes | None, bytes]], documents: list[dict[str, Any]]) -> None:
    for (key, value), document in zip(records, documents, strict=True):
        record = unpack(value)[1]
        entities = {entity["name"]: entity["id"] for entity in record["entities"]}
        known = {"event_id": record["event_id"], "ts_us": record["ts_utc"], "amount_minor": record["amount_minor"], **entities}
        assert known == document
        assert key == document["account"].encode()


def test_some_events_are_late_and_some_keys_are_busy() -> None:
    payments = workload_w.draw(50_000)
    late = np.diff(payments.ts_us) < 0
    assert 0.005 < late.mean() < 0.02
    assert np.bincount(payments.numbers["merchant"]).max() > 100


def test_the_fewest_events_a_figure_is_taken_of_span_ten_days() -> None:
    assert np.ptp(workload_w.draw(200_000).ts_us) > 10 * DAY_US


def test_sparse_events_empty_windows_of_every_length() -> None:
    payments = workload_w.draw(EVENTS, step_ms=SPARSE_MS)
    merchants = payments.numbers["merchant"]
    gaps = [np.diff(payments.ts_us[merchants == merchant]).max() for merchant in np.unique(merchants) if (merchants == merchant).sum() > 1]
    assert max(gaps) > 7 * DAY_US


def test_the_lane_decides_what_the_reference_computes(documents: list[dict[str, Any]], decided: list[dict[str, Any]]) -> None:
    plan = compile_plan(CONFIG.features)
    reference = ReferenceFeatures(plan.document)
    for document, decision in zip(documents, decided, strict=True):
        keys = {name: document[name] for name in workload_w.ENTITIES}
        expected = reference.fold(Payment(document["event_id"], document["ts_us"], document["amount_minor"], keys))
        assert isinstance(expected, dict)
        assert dict(zip(plan.long_names, decision["features"]["longs"], strict=True)) == expected


def test_plain_faust_computes_the_lanes_values_score_and_outcome(documents: list[dict[str, Any]], decided: list[dict[str, Any]]) -> None:
    tables: dict[tuple[str, str], dict[str, Any]] = {}
    for document, decision in zip(documents, decided, strict=True):
        values: list[int] = []
        for name in faust_plain.KEYS:
            state = tables.setdefault((name, document[name]), faust_plain.new_state())
            values += faust_plain.fold(state, document["ts_us"], document["amount_minor"])
        account = tables["account", document["account"]]
        values.append(faust_plain.distinct(account, document["merchant"], document["ts_us"]))
        assert values == decision["features"]["longs"]
        score, outcome = faust_plain.score(values, document["amount_minor"])
        # no posture is published in a benchmark, and the fail-safe one lets nothing pass without a step up
        assert (score, "STEP_UP" if outcome == "ALLOW" else outcome) == (decision["score"], decision["outcome"])


def test_a_cut_into_other_batches_gives_the_same_values(
    records: list[tuple[bytes | None, bytes]], decided: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_BLOCK", 97)
    batches = list(decisions_in_memory(CONFIG, records))
    assert len(batches) > EVENTS // 97
    cut = [unpack(value or b"")[1] for values in batches for value in values.tolist()]
    assert [decision["features"] for decision in cut] == [decision["features"] for decision in decided]


def test_a_spread_is_lowest_middle_and_highest() -> None:
    assert spread([3.25, 1.0, 200_000.4]) == {"min": 1.0, "median": 3.25, "max": 200_000}
