"""The scale benchmark: every measured payment is decided, at as many live keys and with as many features as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.agents.rule_plan import compile_rules
from assay.app.bench.scale import run, with_features
from assay.tables.feature_plan import compile_plan


def test_every_point_is_measured_on_decided_payments_and_drawn(tmp_path: Path) -> None:
    small = ["--keys", "100", "3000", "--features", "10", "20", "--features-keys", "50", "--events", "700", "--rounds", "2"]
    figures = run([*small, "--pictures", str(tmp_path)])
    assert [(one["round"], one.get("keys"), one.get("features")) for one in figures["rounds"]] == [
        (number, *point) for number in (0, 1) for point in ((100, None), (3_000, None), (None, 10), (None, 20))
    ]
    assert [one["live_keys"] for one in figures["rounds"]][:4] == [100, 3_000, 50, 50]
    assert list(figures["events_per_s, keys"]) == ["100", "3,000"]
    assert set(figures["cpu_ns_per_feature"]) == {"min", "median", "max"}
    assert [Path(path).read_text().count("<polyline") for path in figures["pictures"]] == [2, 2]


@pytest.mark.parametrize("count", [1, 10, 37, 90, 91, 100])
def test_documents_of_the_benchmark_have_as_many_features_as_asked_for(count: int) -> None:
    config = with_features(count)
    plan = compile_plan(config.features)
    compile_rules(config.policy, plan)
    assert len(set(plan.long_names)) == count
