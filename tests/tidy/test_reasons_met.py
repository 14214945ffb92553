"""A refusal code counts as produced when the product put it into words while a test ran, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest
import reasons_met

from assay.codecs.quarantine import quarantine_value
from assay.codecs.single_object import record_type
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.fixture(autouse=True)
def nothing_met(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[None]:
    """What was met before is put back, so that a run with --reasons loses nothing."""
    before = set(reasons_met.met)
    reasons_met.met.clear()
    reasons_met.watch(tmp_path)
    yield
    reasons_met.watch(pytestconfig.getoption("reasons"))
    reasons_met.met.clear()
    reasons_met.met.update(before)


def test_a_code_that_the_product_raises_is_met() -> None:
    with pytest.raises(Stop):
        record_type("marker")
    assert reasons_met.met == {"SCHEMA_UNKNOWN"}


def test_a_code_that_a_test_puts_into_words_is_not_met() -> None:
    text = str(Stop(Reason.JOURNAL_UNREADABLE, "a test says so"))
    assert text.startswith(Reason.JOURNAL_UNREADABLE.value)
    assert quarantine_value("FP_BUS_TRAFFIC_FRAUD_V1", 0, 0, Reason.BYTES_GARBAGE, "", 0, b"")
    assert [reason.value for reason in Reason] == list(Reason.__members__)
    assert reasons_met.met == set()


def test_an_error_that_a_test_raises_and_the_product_shows_is_not_met() -> None:
    shown_by_the_product = FunctionType((lambda error: f"{error}").__code__, {"__name__": "assay.planted"})
    assert "JOURNAL_UNREADABLE" in shown_by_the_product(Stop(Reason.JOURNAL_UNREADABLE, "a test says so"))
    assert reasons_met.met == set()


def test_a_code_that_another_process_says_is_met() -> None:
    assert reasons_met.seen("assay gate: GATE_ALREADY_RUNNING: NOT_A_CODE (at 1)").startswith("assay")
    assert reasons_met.met == {"GATE_ALREADY_RUNNING"}


def test_a_code_that_a_test_planted_in_another_process_is_not_met() -> None:
    assert reasons_met.seen("LANE_ENDED: JOURNAL_UNREADABLE: planted", {"JOURNAL_UNREADABLE"})
    assert reasons_met.met == {"LANE_ENDED"}


def test_codes_are_written_down_in_one_place_wherever_a_test_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reasons_met.watch(Path("here"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    reasons_met.seen("LANE_ENDED")
    assert [path.parent for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "here"]


def test_what_nobody_met_is_named_with_the_files_that_use_it(tmp_path: Path) -> None:
    reasons_met.seen(" ".join(name for name in Reason.__members__ if name != "TOPIC_UNKNOWN"))
    checks = "assay/agents/lane_check.py, assay/agents/topology_check.py"
    used_by = (
        f"assay/agents/faust_shell/lanes.py, {checks}, assay/app/audit/witnesses.py, assay/app/bus/errors.py, "
        "assay/app/bus/foreign_topic.py, "
        "assay/app/control_bus/kinesis_bus.py, assay/contracts/topics.py"
    )
    assert reasons_met.never_met(tmp_path) == [f"TOPIC_UNKNOWN: used by {used_by}"]
