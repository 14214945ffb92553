"""The benchmark of small journal records: every measured payment is decided, and the budget has every step."""

from __future__ import annotations

from typing import Any

import pytest

from assay.agents.topology import TOPOLOGY
from assay.app.bench import small
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "WARM", 400)
    monkeypatch.setattr(small, "WARM_ROWS", 100)
    monkeypatch.setattr(small, "RECORDS_MIN", 3)
    monkeypatch.setattr(small, "EVENTS", 60)


@pytest.mark.usefixtures("few")
def test_every_size_is_measured_on_decided_payments_with_a_budget_for_every_step() -> None:
    figures: dict[str, Any] = small.run(["--rows", "1", "20", "--rounds", "2"])
    assert [(one["round"], one["rows"], one["records"]) for one in figures["rounds"]] == [(0, 1, 60), (0, 20, 3), (1, 1, 60), (1, 20, 3)]
    assert list(figures["cpu_ms_per_record"]) == ["1", "20"]
    assert figures["rows_worth"]["20"] == {"min": 1.0, "median": 1.0, "max": 1.0}
    stages = [small.RECEIVE, small.ORDER, small.FOLD, *(step.component for step in TOPOLOGY.lane("rtdl").steps)]
    assert sorted(figures["budget_us_per_record, 1 rows"]) == sorted(stages)
    assert all(spent["min"] > 0 for spent in figures["budget_us_per_record, 20 rows"].values())


@pytest.mark.usefixtures("few")
def test_a_payment_that_is_not_decided_makes_the_figures_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "RTDL", "FP_BUS_AUDIT_V1")
    with pytest.raises(Stop, match="0 of 60 payments were decided") as refused:
        small.run(["--rows", "20", "--rounds", "1"])
    assert refused.value.reason is Reason.BENCH_INVALID
