"""The ledger never forgets and never goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.runner.ledger import MOVES, Ledger, RunState
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(DirectoryStore(tmp_path), "5" * 32)


@pytest.mark.parametrize("at", [None, *RunState])
@pytest.mark.parametrize("to", list(RunState))
def test_a_status_moves_only_along_the_state_machine(ledger: Ledger, at: RunState | None, to: RunState) -> None:
    ways = {
        RunState.OPEN: [],
        RunState.PLANNED: [RunState.OPEN],
        RunState.READY: [RunState.OPEN, RunState.PLANNED],
        RunState.FAILED: [RunState.OPEN],
    }
    for state in [*(ways[at] if at else []), *([at] if at else [])]:
        ledger.move(state, 1)
    allowed = to == RunState.OPEN if at is None else to == at or to in MOVES[at]
    if allowed:
        ledger.move(to, 2)
        assert ledger.state() == to
    else:
        with pytest.raises(Stop, match="RUN_STATE_FORBIDDEN"):
            ledger.move(to, 2)
        assert ledger.state() == at


def test_an_event_is_recorded_once_whatever_the_time(ledger: Ledger) -> None:
    first = ledger.record("RUN_ACCEPTED", {"a": "1"}, 1)
    assert ledger.record("RUN_ACCEPTED", {"a": "1"}, 2) == first
    ledger.record("RUN_ACCEPTED", {"a": "2"}, 3)
    assert [event["details"]["a"] for event in ledger.events()] == ["1", "2"]


class RacedStore(DirectoryStore):
    """A store in which other processes record these events, one just before each of our writes."""

    def __init__(self, root: Path, others: list[str]) -> None:
        super().__init__(root)
        self.others = others

    def create(self, key: str, data: bytes) -> None:
        if self.others:
            Ledger(DirectoryStore(self.root), "5" * 32).record("RUN_ACCEPTED", {"a": self.others.pop(0)}, 1)
        super().create(key, data)


@pytest.mark.parametrize(
    ("others", "recorded"), [(["1"], ["1"]), (["2"], ["2", "1"]), (["2", "3"], ["2", "3", "1"]), (["2", "1"], ["2", "1"])]
)
def test_an_event_that_another_process_records_meanwhile_is_not_recorded_again(
    tmp_path: Path, others: list[str], recorded: list[str]
) -> None:
    ledger = Ledger(RacedStore(tmp_path, others), "5" * 32)
    first = ledger.record("RUN_ACCEPTED", {"a": "1"}, 2)
    assert [event["details"]["a"] for event in ledger.events()] == recorded
    assert [event["event_id"] for event in ledger.events()].count(first) == 1
    assert ledger.record("RUN_ACCEPTED", {"a": "1"}, 3) == first


def test_a_plan_is_written_once_and_another_is_drift(ledger: Ledger) -> None:
    ledger.write_plan({"outputs": ["a"]})
    ledger.write_plan({"outputs": ["a"]})
    with pytest.raises(Stop, match="PLAN_DRIFT"):
        ledger.write_plan({"outputs": ["b"]})


def test_facts_are_written_once_and_others_are_drift(ledger: Ledger) -> None:
    ledger.write_facts({"rows": 4})
    with pytest.raises(Stop, match="PLAN_DRIFT"):
        ledger.write_facts({"rows": 5})


@pytest.mark.parametrize("held", [b"", b"[]", b"\xff", b"[" * 5_000, b"{}", b'{"state":"GONE"}'])
def test_a_status_that_cannot_be_read_is_refused(ledger: Ledger, tmp_path: Path, held: bytes) -> None:
    DirectoryStore(tmp_path).replace(f"sr/run_status/{'5' * 32}.json", held)
    with pytest.raises(Stop, match="RUN_STATE_FORBIDDEN"):
        ledger.move(RunState.OPEN, 1)


def test_a_record_that_cannot_be_read_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    DirectoryStore(tmp_path).replace(f"sr/run_record/{'5' * 32}/000000.json", b"{")
    with pytest.raises(Stop, match="RUN_STATE_FORBIDDEN"):
        ledger.record("RUN_ACCEPTED", {}, 1)
