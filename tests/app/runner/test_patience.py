"""A run whose runner was killed goes on by itself once the lease has ended; one that stays held is told as held."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_runs import request_for, runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.cli.sr_answers import refuse_unready
from assay.app.runner.answers import RunAnswer
from assay.app.runner.hold import TTL_US
from assay.app.runner.patience import submitted
from assay.contracts.errors import AssayError, Retry

S_US = 1_000_000


class Waiting:
    """Time that passes while somebody waits."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def clock(self) -> int:
        return self.now_us

    def pause(self, seconds: float) -> None:
        self.now_us += int(seconds * S_US)


def asked(folder: Path, ttl_us: int) -> tuple[RunAnswer, int, list[str]]:
    """Ask for a run that a killed process holds for so long: the answer, how long it took, and what was told meanwhile."""
    world = small_world(folder)
    config, time, told = config_of(world.manifest), Waiting(), list[str]()
    store = sealed(world)
    lease = sqlite_authority(store.root.parent / "authority.db").acquire(config.scenario_run_id, "killed", ttl_us, NOW_US)
    assert lease is not None
    runner = runner_over(config, store, KeptRecords(), NOW_US, clock=time.clock, pause=time.pause)
    return submitted(runner, request_for(config), told.append), time.now_us - NOW_US, told


def test_after_the_lease_of_a_killed_runner_the_run_goes_on(tmp_path: Path) -> None:
    answer, took_us, told = asked(tmp_path, TTL_US)
    assert (answer.state, answer.held, told) == ("READY", False, [answer.run_id])
    assert TTL_US <= took_us < TTL_US + 5 * S_US


def test_who_waits_for_a_run_that_stays_held_is_told_so_in_the_end(tmp_path: Path) -> None:
    answer, took_us, _ = asked(tmp_path, 10 * TTL_US)
    assert answer.held
    assert 2 * TTL_US <= took_us < 2 * TTL_US + 5 * S_US


@pytest.mark.parametrize("jump_us", [-3_600 * S_US, 3_600 * S_US])
def test_a_clock_that_jumps_while_somebody_waits_makes_the_wait_neither_longer_nor_shorter(tmp_path: Path, jump_us: int) -> None:
    world, time, pauses = small_world(tmp_path), Waiting(), list[float]()
    config, store = config_of(world.manifest), sealed(world)
    authority = sqlite_authority(store.root.parent / "authority.db")
    assert authority.acquire(config.scenario_run_id, "killed", 10_000 * S_US, NOW_US) is not None

    def pause(seconds: float) -> None:
        time.now_us += int(seconds * S_US) if pauses else jump_us
        pauses.append(seconds)

    runner = runner_over(config, store, KeptRecords(), NOW_US, clock=time.clock, pause=pause)
    assert submitted(runner, request_for(config)).held
    assert sum(pauses) * S_US == 2 * TTL_US


def test_a_run_that_was_killed_between_its_commit_and_its_announcement_is_held_and_not_yet_ready(tmp_path: Path) -> None:
    """READY stands in the record, and nobody has heard it."""
    world = small_world(tmp_path)
    config, store, bus = config_of(world.manifest), sealed(world), KeptRecords()
    bus.away = True
    with pytest.raises(AssayError):
        runner_over(config, store, bus, NOW_US).submit(request_for(config))
    authority = sqlite_authority(store.root.parent / "authority.db")
    assert authority.acquire(config.scenario_run_id, "killed", TTL_US, NOW_US) is not None
    answer = runner_over(config, store, KeptRecords(), NOW_US).submit(request_for(config))
    assert (answer.state, answer.held) == ("READY", True)
    with pytest.raises(Retry, match="RUN_NOT_READY"):
        refuse_unready(answer)
