"""Faults while a run is brought to READY: the database is started again or away, and clocks are an hour off. One run, one READY.

A streamer's positions in the same database outlive its crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from authority_laws import HOUR_US, let_expire
from scenario_runs import refuse_two_effects, request_for, runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.authority.migrate import migrate
from assay.app.authority.port import Authority
from assay.app.authority.store import open_authority
from assay.app.database.prepare import prepare
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.record import Record
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.checkpoint import Cursor
from assay.app.streamer.sql_checkpoint import Cursors, SqlCheckpoint
from assay.app.substrate import Server
from assay.app.substrate.postgres import start_postgres
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

WRITES = 13
#: writes at which the server is started again: some for every run of the tests
POINTS = Random(24).sample(range(1, WRITES + 1), 2)


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    return small_world(tmp_path)


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A database that only these tests kill."""
    server = start_postgres(tmp_path_factory.mktemp("faults") / "postgres", load_settings(sql=""))
    migrate(server.address)
    yield server
    server.stop()


class Disturbed(DirectoryStore):
    """A store before whose n-th write something happens."""

    def __init__(self, root: Path, at: int, happens: Callable[[], object]) -> None:
        super().__init__(root)
        self._at, self._happens, self.writes = at, happens, 0

    def create(self, key: str, data: bytes) -> None:
        self._count()
        super().create(key, data)

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        self._count()
        super().swap(key, data, expected)

    def _count(self) -> None:
        self.writes += 1
        if self.writes == self._at:
            self._happens()


def submitted(config: Any, store: DirectoryStore, bus: KeptRecords, authority: Authority, now_us: int = NOW_US) -> Any:
    request = request_for(config, run_equivalence_key=config.scenario_run_id)
    return runner_over(config, store, bus, now_us, authority=authority).submit(request)


@pytest.mark.tier1
@pytest.mark.parametrize("at", [pytest.param(at, marks=() if at in POINTS else pytest.mark.long) for at in range(1, WRITES + 1)])
def test_a_database_that_crashes_and_comes_back_before_any_write_disturbs_no_run(own_postgres: Server, world: SealedWorld, at: int) -> None:
    bus, config = KeptRecords(), config_of(world.manifest, scenario_run_id=f"{at:032d}")

    def crash() -> None:
        own_postgres.kill()
        own_postgres.restart()

    authority = open_authority(own_postgres.address)
    assert submitted(config, Disturbed(sealed(world).root, at, crash), bus, authority).state == "READY"
    refuse_two_effects(world.store, config, bus)
    assert [row.run_id for row in authority.rows()].count(config.scenario_run_id) == 1


@pytest.mark.tier1
def test_a_run_whose_database_went_away_goes_on_when_it_is_back(own_postgres: Server, world: SealedWorld) -> None:
    bus, config = KeptRecords(), config_of(world.manifest, scenario_run_id="a" * 32)
    authority = open_authority(own_postgres.address)
    with pytest.raises(Retry) as refused:
        submitted(config, Disturbed(sealed(world).root, 5, own_postgres.kill), bus, authority)
    assert (refused.value.reason, bus.published) == (Reason.DATABASE_SILENT, [])
    own_postgres.restart()
    assert submitted(config, sealed(world), bus, authority).held, "its lease could not be given back, and ends by itself"
    let_expire(own_postgres.address)
    assert submitted(config, sealed(world), bus, authority).state == "READY"
    refuse_two_effects(world.store, config, bus)


@pytest.mark.parametrize("off_us", [-HOUR_US, HOUR_US])
def test_a_runner_whose_clock_is_an_hour_off_neither_takes_a_run_that_is_held_nor_tells_another_story(
    dsn: str, world: SealedWorld, off_us: int
) -> None:
    migrate(dsn)
    bus, config, authority, asked = KeptRecords(), config_of(world.manifest), open_authority(dsn), []

    def ask() -> None:
        asked.append(submitted(config, sealed(world), bus, authority, NOW_US + off_us))

    first = submitted(config, Disturbed(sealed(world).root, 5, ask), bus, authority)
    (other,) = asked
    assert (first.state, other.held, other.message_id) == ("READY", True, "")
    assert submitted(config, sealed(world), bus, authority, NOW_US + off_us) == first
    refuse_two_effects(world.store, config, bus)


@pytest.mark.tier1
def test_a_streamer_that_keeps_its_position_while_the_database_is_started_again_waits_for_it(own_postgres: Server) -> None:
    prepare(own_postgres.address)
    cursors = Cursors(own_postgres.address, patience_s=60)
    one = SqlCheckpoint(cursors, "wsp/events", "scope")
    one.save(Cursor(3))
    own_postgres.kill()
    back = Thread(target=own_postgres.restart)
    back.start()
    one.save(Cursor(5))
    back.join()
    assert one.load(9) == Cursor(5)
    cursors.close()


@pytest.mark.long
@pytest.mark.tier1
def test_a_database_that_is_frozen_while_a_position_is_kept_is_given_up_in_time_and_asked_again_later(own_postgres: Server) -> None:
    prepare(own_postgres.address)
    one = SqlCheckpoint(Cursors(own_postgres.address, patience_s=1, answer_s=1), "wsp/frozen", "scope")
    one.save(Cursor(3))
    own_postgres.pause()
    try:
        with pytest.raises(Retry) as refused:
            one.save(Cursor(5))
        assert refused.value.reason is Reason.DATABASE_SILENT
    finally:
        own_postgres.resume()
    assert one.load(9) in (Cursor(3), Cursor(5)), "what was not acknowledged may have been kept"
    one.save(Cursor(7))
    assert one.load(9) == Cursor(7)


class EndedError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("off_us", [-HOUR_US, HOUR_US])
@pytest.mark.parametrize("at", [4, 8, 12])
def test_a_run_that_was_begun_by_another_clock_is_finished_once(dsn: str, world: SealedWorld, off_us: int, at: int) -> None:
    migrate(dsn)
    bus, config, authority = KeptRecords(), config_of(world.manifest), open_authority(dsn)

    def end() -> None:
        raise EndedError

    with pytest.raises(EndedError):
        submitted(config, Disturbed(sealed(world).root, at, end), bus, authority)
    let_expire(dsn)
    assert submitted(config, sealed(world), bus, authority, NOW_US + off_us).state == "READY"
    refuse_two_effects(world.store, config, bus)


@pytest.mark.parametrize(("off_us", "lost"), [(-HOUR_US, False), (HOUR_US, True)])
def test_on_one_machine_a_clock_that_jumps_under_a_holder_ends_in_one_ready(
    tmp_path: Path, world: SealedWorld, off_us: int, lost: bool
) -> None:
    """SQLite judges by the machine's clock: put forward, it ends the lease, and the holder writes nothing more; put back, it does not."""
    bus, config, now = KeptRecords(), config_of(world.manifest), [NOW_US]
    store = Disturbed(sealed(world).root, 6, lambda: now.append(NOW_US + off_us))
    authority = sqlite_authority(tmp_path / "authority.db")

    def ask() -> Any:
        return runner_over(config, store, bus, NOW_US, authority=authority, clock=lambda: now[-1]).submit(request_for(config))

    if lost:
        with pytest.raises(Stop) as refused:
            ask()
        assert (refused.value.reason, bus.published) == (Reason.LEASE_LOST, [])
    assert ask().state == "READY"
    refuse_two_effects(world.store, config, bus)
    fences = [event["fence"] for event in Record(store, config.scenario_run_id).read_on().events]
    assert set(fences) == ({1, 2} if lost else {1})


class Jumping:
    """A clock that is set at the first pause, beside one that nobody sets; the world comes after ten seconds."""

    def __init__(self, off_us: int, comes: Callable[[], object]) -> None:
        self._off_us, self._comes = off_us, comes
        self._now_us, self.waited_us = NOW_US, 0

    def clock(self) -> int:
        return self._now_us

    def steady(self) -> int:
        return self.waited_us

    def pause(self, seconds: float) -> None:
        passed_us = int(seconds * 1_000_000)
        self._now_us += passed_us + (self._off_us if not self.waited_us else 0)
        self.waited_us += passed_us
        if self.waited_us == 10_000_000:
            self._comes()


@pytest.mark.parametrize("off_us", [-HOUR_US, HOUR_US])
def test_a_clock_that_is_set_while_evidence_is_waited_for_makes_the_wait_neither_longer_nor_shorter(
    dsn: str, tmp_path: Path, world: SealedWorld, off_us: int
) -> None:
    migrate(dsn)
    bus, config, store = KeptRecords(), config_of(world.manifest), DirectoryStore(tmp_path / "later")

    def come() -> None:
        for key in sealed(world).keys("oracle"):
            store.create(key, world.store.read(key))

    time = Jumping(off_us, come)
    values: dict[str, Any] = {"clock": time.clock, "steady": time.steady, "pause": time.pause, "policy": RunnerPolicy(evidence_wait_s=60)}
    runner = runner_over(config, store, bus, NOW_US, authority=open_authority(dsn), **values)
    answer = runner.submit(request_for(config, output_ids=[world.manifest.output_id]))
    assert (answer.state, time.waited_us) == ("READY", 10_000_000)
    refuse_two_effects(store, config, bus)
