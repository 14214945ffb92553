"""A first policy for days or hours does not count within them; the mapping tells which it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_worlds import DOCUMENT

from assay.app.cli import policy as command
from assay.app.oracle.mapping import load_mapping, shipped_mappings
from assay.app.oracle.mapping_time import TimeColumn
from assay.app.policy.documents import load_policy
from assay.app.policy.doubts import doubts_of
from assay.app.policy.grain import DAY_US, HOUR_US, MINUTE_US, grain_us
from assay.app.policy.of_mapping import documents_for
from assay.testing import Simulation


@pytest.mark.parametrize(
    ("time", "step"),
    [
        ({"column": "at"}, 1),
        ({"column": "at", "unit": "ms"}, 1),
        ({"column": "at", "unit": "min"}, MINUTE_US),
        ({"column": "step", "unit": "h"}, HOUR_US),
        ({"column": "day", "unit": "d"}, DAY_US),
        ({"column": "month", "unit": "month"}, DAY_US),
        ({"column": "at", "format": "%d/%m/%Y"}, DAY_US),
        ({"column": "at", "format": "%F"}, DAY_US),
        ({"column": "at", "format": "%-d.%-m.%y"}, DAY_US),
        ({"column": "at", "format": "%d/%m/%Y %H"}, HOUR_US),
        ({"column": "at", "format": "%d/%m/%Y %I %p"}, HOUR_US),
        ({"column": "at", "format": "%d/%m/%Y %H:%M"}, MINUTE_US),
        ({"column": "at", "format": "%d/%m/%Y %H:%M:%S"}, 1),
        ({"column": "at", "format": "%F %T"}, 1),
        ({"column": "at", "format": "%F %R"}, MINUTE_US),
        ({"column": "at", "format": "%F %T%.3f"}, 1),
        ({"column": "at", "format": "%Y%%H%m%d"}, DAY_US),
        ({"columns": ["y", "m", "d", "t"], "format": "%Y %m %d %H:%M"}, MINUTE_US),
    ],
)
def test_the_mapping_tells_the_step_of_times(time: dict[str, Any], step: int) -> None:
    assert grain_us(TimeColumn.model_validate(time)) == step


def written(folder: Path, **time: str) -> str:
    (folder / "m.yaml").write_text(yaml.safe_dump({**DOCUMENT, "time": {"column": "at", **time}}, sort_keys=False))
    assert command.main(["new", str(folder / "mine"), "--mapping", str(folder / "m.yaml")]) == 0
    return (folder / "mine" / "features.yaml").read_text()


def test_days_have_no_rule_about_an_hour_and_several_payments_of_a_day_are_no_burst(tmp_path: Path) -> None:
    text = written(tmp_path, format="%d/%m/%Y")
    assert "Times of this mapping are days" in text
    policy = load_policy(str(tmp_path / "mine"))
    assert {one.resolution_us % DAY_US for one in policy.feature_plan.document.features if one.window_buckets} == {0}
    assert not any("BURST" in code for code in policy.rule_plan.codes)
    simulation = Simulation(features=policy.features, rules=policy.rules)
    for number in range(8):
        simulation.payment(amount_minor=1_000 + number)
    assert {one.outcome for one in simulation.run()} == {"ALLOW"}


def test_a_check_against_a_mapping_of_days_doubts_windows_of_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    (tmp_path / "days.yaml").write_text(yaml.safe_dump({**DOCUMENT, "time": {"column": "at", "unit": "d"}}, sort_keys=False))
    assert command.main(["check", str(tmp_path / "mine"), "--strict"]) == 0
    assert command.main(["check", str(tmp_path / "mine"), "--strict", "--mapping", str(tmp_path / "days.yaml")]) == 1
    said = capsys.readouterr().out
    assert "doubt: customer_count_1h looks back 1h, times of the mapping are 1d apart" in said
    assert "customer_count_1d looks" not in said


def test_hours_are_counted_in_buckets_of_an_hour(tmp_path: Path) -> None:
    text = written(tmp_path, unit="h")
    assert "Times of this mapping are hours" in text
    policy = load_policy(str(tmp_path / "mine"))
    assert {one.resolution_us % HOUR_US for one in policy.feature_plan.document.features if one.window_buckets} == {0}
    assert "CUSTOMER_BURST" in policy.rule_plan.codes


def test_finer_times_keep_their_buckets_of_minutes(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "Times of this mapping" not in text
    assert "resolution: 5min" in text


@pytest.mark.parametrize("name", shipped_mappings())
def test_the_policy_that_goes_with_a_shipped_mapping_gives_no_doubt(name: str) -> None:
    mapping = load_mapping(name)
    assert doubts_of(documents_for(mapping).policy(), grain_us(mapping.time)) == []
