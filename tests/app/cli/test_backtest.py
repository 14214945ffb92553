"""`assay backtest` before it reaches a broker; what it answers from one is in tests/kafka/test_backtest_bus.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from proven_runs import make_run

from assay.app.backtest.ids_file import ids_file
from assay.app.cli import backtest as command
from assay.app.policy.documents import load_policy
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

HANDBOOK = load_policy("handbook")


def written(path: Path, **rules: object) -> str:
    path.write_text(json.dumps({"features": HANDBOOK.features, "rules": {**HANDBOOK.rules, **rules}}))
    return str(path)


def begun(directory: Path) -> None:
    """A run under the handbook's policy whose Kafka does not answer."""
    run = make_run(directory)
    config = run.config.model_copy(update={"features": HANDBOOK.features, "policy": HANDBOOK.rules})
    run.model_copy(update={"bootstrap": "127.0.0.1:1", "config": config}).save()


def test_a_broken_document_is_refused_before_the_run_is_looked_at(tmp_path: Path) -> None:
    policy = written(tmp_path / "mine.yaml", thresholds={"STEP_UP": "many"})
    with pytest.raises(Stop) as refused:
        command.main(["--policy", policy, "--run", str(tmp_path / "nowhere")])
    assert refused.value.reason is Reason.RULES_DOCUMENT_INVALID


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        command.main(["--policy", "handbook", "--run", str(tmp_path / "nowhere")])
    assert refused.value.reason is Reason.RUN_MISSING


def test_a_file_of_ids_that_cannot_be_written_is_wrong_usage_before_a_server_is_asked(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(typer.BadParameter, match="cannot be written: No such file or directory"):
        command.main(["--policy", "handbook", "--run", str(tmp_path), "--ids", str(tmp_path / "nowhere" / "ids.csv")])


@pytest.mark.usefixtures("soon")
def test_without_its_broker_a_run_cannot_be_decided_again_and_no_file_is_left(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(Retry) as refused:
        command.main(["--policy", "handbook", "--run", str(tmp_path), "--ids", str(tmp_path / "ids.csv")])
    assert refused.value.reason is Reason.BROKER_UNREACHABLE
    assert {one.name for one in tmp_path.iterdir()} == {"run.json", "secrets.json"}


def test_a_file_of_ids_that_is_there_is_refused_before_a_server_is_asked(tmp_path: Path) -> None:
    begun(tmp_path)
    ids = tmp_path / "ids.csv"
    ids.write_text("mine")
    with pytest.raises(Stop) as refused:
        command.main(["--policy", "handbook", "--run", str(tmp_path), "--ids", str(ids)])
    assert (refused.value.reason, refused.value.where, ids.read_text()) == (Reason.OUTPUT_FILE_TAKEN, str(ids), "mine")


def test_a_file_of_ids_that_somebody_makes_meanwhile_stays(tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    with pytest.raises(Stop) as refused, ids_file(ids):
        ids.write_text("mine")
    assert (refused.value.reason, ids.read_text()) == (Reason.OUTPUT_FILE_TAKEN, "mine")
    assert [one.name for one in tmp_path.iterdir()] == ["ids.csv"]
