"""The recording effector: a line per key, durable, asked by key after a restart, whole after a torn write, one writer after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from assay.agents.step import Effects
from assay.app.effects.recorder import Recorder, recorded
from assay.codecs.columns import Strings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def effects(*numbers: int, ask_first: bool = False) -> Effects:
    """Effects whose keys end in these numbers."""
    keys = np.zeros((len(numbers), 32), np.uint8)
    keys[:, 31] = numbers
    return Effects(keys, Strings.repeat(b"ALLOW", len(numbers)), Strings.of([f"e{n}" for n in numbers]), ask_first)


def lines(path: Path) -> list[tuple[int, str, str]]:
    """(key, kind, event) of each line."""
    return [(int(key, 16), kind, event) for key, kind, event in (line.decode().split() for line in recorded(path))]


def test_every_action_is_a_line_under_its_key(tmp_path: Path) -> None:
    log = tmp_path / "actions" / "log"
    results = asyncio.run(Recorder(log).execute(effects(1, 2)))
    assert lines(log) == [(1, "ALLOW", "e1"), (2, "ALLOW", "e2")]
    assert results.status.text() == ["EXECUTED", "EXECUTED"]
    assert results.attempts.tolist() == [1, 1]
    assert results.provider_ref.text() == ["recorder:0000000000000000"] * 2


def test_after_a_restart_what_is_recorded_is_not_recorded_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Recorder(log).record(effects(1, 2))
    assert Recorder(log).record(effects(2, 3, ask_first=True)).status.text() == ["EXECUTED", "EXECUTED"]
    assert [key for key, _, _ in lines(log)] == [1, 2, 3]


def test_asking_a_log_that_is_not_there_records(tmp_path: Path) -> None:
    Recorder(tmp_path / "log").record(effects(1, ask_first=True))
    assert [key for key, _, _ in lines(tmp_path / "log")] == [1]


@pytest.mark.parametrize("cut", [1, 5, 70])
def test_a_torn_last_line_was_not_acknowledged_and_is_recorded_whole(tmp_path: Path, cut: int) -> None:
    log = tmp_path / "log"
    Recorder(log).record(effects(1, 2))
    log.write_bytes(log.read_bytes()[:-cut])
    Recorder(log).record(effects(2, ask_first=True))
    assert [key for key, _, _ in lines(log)] == [1, 2]


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x85"])
def test_an_event_id_cannot_pass_for_another_action_that_was_done(tmp_path: Path, end: str) -> None:
    """The gate admits any text as an id."""
    log = tmp_path / "log"
    forged = effects(1)._replace(source_event_id=Strings.of([f"x{end}{2:064x} ALLOW e2{end}"]))
    Recorder(log).record(forged)
    Recorder(log).record(effects(2, ask_first=True))
    assert [line.split(b" ")[0] for line in recorded(log)] == [b"%064x" % 1, b"%064x" % 2]


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_line_torn_inside_a_character_can_be_asked_about(tmp_path: Path, cut: int) -> None:
    log = tmp_path / "log"
    named = effects(1, 2)._replace(source_event_id=Strings.of(["e1", "zürich-€"]))
    Recorder(log).record(named)
    log.write_bytes(log.read_bytes()[:-cut])
    Recorder(log).record(named._replace(ask_first=True))
    assert [line.split(b" ")[0] for line in recorded(log)] == [b"%064x" % 1, b"%064x" % 2]


def test_a_log_that_cannot_be_written_raises(tmp_path: Path) -> None:
    """The lane stops with its answers unknown."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"):
        Recorder(tmp_path / "file" / "log").record(effects(1))


def taken_over(sleeper: Recorder, asked: Effects) -> None:
    with pytest.raises(Stop) as stopped:
        sleeper.record(asked)
    assert stopped.value.reason is Reason.LANE_TAKEN_OVER


def test_a_worker_that_slept_through_a_takeover_stops_and_nothing_of_it_counts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    sleeper, heir = Recorder(log), Recorder(log)
    sleeper.record(effects(1))
    heir.record(effects(2, 3, ask_first=True))
    taken_over(sleeper, effects(2, 3))
    taken_over(sleeper, effects(4))
    heir.record(effects(5))
    assert [key for key, _, _ in lines(log)] == [1, 2, 3, 5]


def test_nobody_waits_for_a_worker_that_sleeps_within_its_write(tmp_path: Path) -> None:
    """Its line reaches the disk before the next one begins and is found by key, or after that and does not count."""
    log = tmp_path / "log"
    Recorder(log).record(effects(1))
    with log.open("ab") as asleep:
        heir = Recorder(log)
        heir.record(effects(2, ask_first=True))
        asleep.write(f"{2:064x} ALLOW e2\n".encode())
    assert [key for key, _, _ in lines(log)] == [1, 2]
    assert Recorder(log).record(effects(2, ask_first=True)).status.text() == ["EXECUTED"]
    assert [key for key, _, _ in lines(log)] == [1, 2]


def test_a_writer_that_died_before_it_had_noted_anything_takes_nothing_away(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Recorder(log).record(effects(1, 2))
    (tmp_path / "log.2").touch()
    assert [key for key, _, _ in lines(log)] == [1, 2]
    (tmp_path / "log.2").write_bytes(b"# 1")
    Recorder(log).record(effects(2, 3, ask_first=True))
    assert [key for key, _, _ in lines(log)] == [1, 2, 3]
