"""Lines for operators never keep a run from READY: a sink may hang or fail, and DEBUG is lost first."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.runner.event_kinds import KINDS
from assay.app.telemetry import Telemetry

STORY = ["LEASE_ACQUIRED", "RUN_ACCEPTED", "PLAN_COMMITTED", "GOV_POLICY_REV", "READY_COMMITTED", "READY_PUBLISHED", "MARKS_PUBLISHED"]


class Hanging:
    """A sink that does not return until it is let go, and keeps what it gets."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.all_there = threading.Event(), threading.Event(), threading.Event()
        self.lines: list[Mapping[str, Any]] = []
        self.wanted = 0

    def __call__(self, line: Mapping[str, Any]) -> None:
        self.begun.set()
        self.let_go.wait(120)
        self.lines.append(line)
        if len(self.lines) == self.wanted:
            self.all_there.set()

    def kinds(self, wanted: int) -> list[str]:
        """Let it go, and wait for so many lines."""
        self.wanted = wanted
        self.let_go.set()
        assert self.all_there.wait(60)
        return [line["event_kind"] for line in self.lines]


def submitted(folder: Path, telemetry: Telemetry) -> KeptRecords:
    world, bus = small_world(folder), KeptRecords()
    config = config_of(world.manifest)
    assert runner_over(config, sealed(world), bus, NOW_US, telemetry=telemetry).submit(request_for(config)).state == "READY"
    return bus


def test_ready_is_published_while_a_sink_hangs(tmp_path: Path) -> None:
    sink = Hanging()
    bus = submitted(tmp_path, Telemetry([sink]))
    assert sink.lines == []
    assert "run_ready" in [name for _, name, _ in bus.read()]
    assert sink.kinds(len(STORY)) == STORY


def test_a_sink_that_fails_harms_neither_the_run_nor_another_sink(tmp_path: Path) -> None:
    sink = Hanging()

    def failing(line: Mapping[str, Any]) -> None:
        raise OSError("the collector is away")

    telemetry = Telemetry([failing, sink])
    submitted(tmp_path, telemetry)
    assert sink.kinds(len(STORY)) == STORY
    assert telemetry.lost == len(STORY)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["GOV_POLICY_REV", "RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED"], ["RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED"]),
        (["RUN_ACCEPTED", "GOV_POLICY_REV", "PLAN_COMMITTED", "READY_COMMITTED"], ["RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED"]),
        (["RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED", "GOV_POLICY_REV"], ["RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED"]),
        (["RUN_ACCEPTED", "PLAN_COMMITTED", "READY_COMMITTED", "EVIDENCE_FAIL"], ["PLAN_COMMITTED", "READY_COMMITTED", "EVIDENCE_FAIL"]),
    ],
)
def test_of_a_full_queue_debug_is_lost_first_and_then_the_oldest(said: list[str], kept: list[str]) -> None:
    sink = Hanging()
    telemetry = Telemetry([sink], KINDS, room=3)
    telemetry.say("FIRST", "5" * 32)
    assert sink.begun.wait(60), "the sink has taken the first line and hangs"
    for kind in said:
        telemetry.say(kind, "5" * 32)
    assert sink.kinds(4) == ["FIRST", *kept]
    assert telemetry.lost == 1
