"""Whoever asks, how often, at once or after a crash: one run, one plan, one READY."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ending_processes import EndedError, EndingBus, EndingStore
from scenario_runs import refuse_two_effects, request_for, runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.runner.evidence import Seen
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.record import Record
from assay.app.runner.request import RunRequest, read_request, request_of_run
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

S_US = 1_000_000


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    return small_world(tmp_path)


def names(bus: KeptRecords) -> list[str]:
    return [name for _, name, _ in bus.read()]


def documents(store: DirectoryStore) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.keys("sr")}


def crashed_and_done_again(world: SealedWorld, store: DirectoryStore, bus: KeptRecords, ending: KeptRecords) -> Runner:
    """A runner whose process ends, and the next one, which waits for no lease: the authority is told that time has passed."""
    config = config_of(world.manifest)
    runner = runner_over(config, store, ending, NOW_US)
    with pytest.raises(EndedError):
        runner.submit(request_for(config))
    later = runner_over(config, sealed(world), bus, NOW_US + 400 * S_US)
    assert later.submit(request_for(config)).state == "READY"
    return later


@pytest.mark.parametrize("written", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("at", range(1, 14))
def test_a_crash_at_any_write_is_followed_by_one_ready(world: SealedWorld, at: int, written: bool) -> None:
    bus, store = KeptRecords(), EndingStore(sealed(world).root, at, written=written)
    crashed_and_done_again(world, store, bus, bus)
    refuse_two_effects(world.store, config_of(world.manifest), bus)


@pytest.mark.parametrize("at", range(1, 6))
def test_a_crash_behind_any_publication_is_followed_by_one_ready(world: SealedWorld, at: int) -> None:
    bus = KeptRecords()
    crashed_and_done_again(world, sealed(world), bus, EndingBus(bus, at))
    refuse_two_effects(world.store, config_of(world.manifest), bus)


def test_there_are_no_more_writes_than_those_at_which_the_tests_crash(world: SealedWorld) -> None:
    store = EndingStore(sealed(world).root, 0, written=False)
    config = config_of(world.manifest)
    runner_over(config, store, KeptRecords(), NOW_US).submit(request_for(config))
    assert store.writes == 13


def test_a_repeated_request_changes_nothing_and_gives_the_same_answer_for_ever(world: SealedWorld) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    first = runner_over(config, sealed(world), bus, NOW_US).submit(request_for(config))
    before, published = documents(sealed(world)), len(bus.published)
    for later_us in (1, 299 * S_US, 301 * S_US, 10**9 * S_US):
        assert runner_over(config, sealed(world), bus, NOW_US + later_us).submit(request_for(config)) == first
    assert documents(sealed(world)) == before
    assert len(bus.published) == published


def test_of_many_requests_at_once_one_makes_the_run_and_all_name_it(world: SealedWorld) -> None:
    """A hundred requests from sixteen threads, each with a runner and a connection of its own."""
    config, bus = config_of(world.manifest), KeptRecords()
    looks: list[int] = []

    def ask(number: int) -> str:
        runner = runner_over(config, sealed(world), bus, NOW_US, lambda done, _: looks.append(done), owner_id=str(number))
        return runner.submit(request_for(config)).run_id

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(100))) == {config.scenario_run_id}
    assert looks == [1, 2], "the world was looked at once"
    assert names(bus) == ["feature_set", "posture", "run_ready", "mark", "mark"]
    refuse_two_effects(world.store, config_of(world.manifest), bus)


def test_while_another_process_holds_the_run_its_present_state_is_the_answer(world: SealedWorld) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    asked: list[Any] = []

    def ask_again(done: int, _: int) -> None:
        other = runner_over(config, sealed(world), bus, NOW_US, owner_id="another")
        asked.append(other.submit(request_for(config)))

    runner_over(config, sealed(world), bus, NOW_US, ask_again).submit(request_for(config))
    assert [answer.state for answer in asked] == ["PLANNED", "PLANNED"]


def test_another_intent_under_a_key_is_refused_and_nothing_is_written(world: SealedWorld) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    runner = runner_over(config, sealed(world), bus, NOW_US)
    runner.submit(request_for(config))
    before, rows = documents(sealed(world)), runner.authority.rows()
    with pytest.raises(Stop) as refused:
        runner.submit(request_for(config, seed=99))
    assert refused.value.reason is Reason.EQUIV_KEY_COLLISION
    assert (documents(sealed(world)), runner.authority.rows()) == (before, rows)


class SleptThrough(ImportedWorld):
    """Evidence that is looked at for so long that the lease is over, and another runner has finished."""

    def __init__(self, runner: Runner, request: RunRequest, *of_world: Any) -> None:
        super().__init__(*of_world)
        self._runner, self._request = runner, request

    def look(self, request: RunRequest, keep: Any = bool) -> Seen:
        seen = super().look(request, bool)
        assert self._runner.submit(self._request).state == "READY"
        return seen


def test_a_holder_that_slept_past_its_lease_writes_nothing(world: SealedWorld) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    request = request_for(config)
    # SQLite judges by the caller's clock: for the second runner the lease of the first is over, and its own is not over for the first
    second = runner_over(config, sealed(world), bus, NOW_US + 400 * S_US, owner_id="second")
    evidence = SleptThrough(second, request, sealed(world), config, lambda: NOW_US)
    first = runner_over(config, sealed(world), bus, NOW_US, owner_id="first", evidence=evidence)
    with pytest.raises(Stop) as refused:
        first.submit(request)
    assert refused.value.reason is Reason.LEASE_LOST
    assert names(bus) == ["feature_set", "posture", "run_ready", "mark", "mark"]
    record = Record(world.store, request.run_id).read_on()
    assert [event["fence"] for event in record.events] == [1] * 4 + [2] * 4
    assert record.events[4]["details"]["owner_id"] == "second"


def test_a_database_that_was_lost_is_noticed_before_anything_is_written(world: SealedWorld, tmp_path: Path) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    bus.away = True
    for seconds in (0, 400):
        with pytest.raises(Stop, match="PRODUCE_FAILED"):
            runner_over(config, sealed(world), bus, NOW_US + seconds * S_US).submit(request_for(config))
    bus.away = False
    before = documents(sealed(world))
    runner = runner_over(config, sealed(world), bus, NOW_US, authority=sqlite_authority(tmp_path / "new.db"))
    with pytest.raises(Stop) as refused:
        runner.submit(request_for(config))
    assert refused.value.reason is Reason.AUTHORITY_BEHIND
    assert documents(sealed(world)) == before


class SilentStore(DirectoryStore):
    """A store that does not answer for worlds."""

    def keys(self, prefix: str) -> Iterator[str]:
        raise Retry(Reason.STORE_SILENT, "the object store answers 503", where=prefix)


def test_a_store_that_does_not_answer_says_nothing_of_the_run(world: SealedWorld) -> None:
    config, bus = config_of(world.manifest), KeptRecords()
    runner = runner_over(config, SilentStore(sealed(world).root), bus, NOW_US)
    with pytest.raises(AssayError, match="STORE_SILENT"):
        runner.submit(request_for(config))
    assert runner_over(config, sealed(world), bus, NOW_US).submit(request_for(config)).state == "READY"


def test_the_request_of_a_run_directory_names_its_run() -> None:
    from assay.contracts.ids import scenario_run_id

    config = config_of(_Manifest())  # type: ignore[arg-type]
    assert read_request(request_of_run(config)).run_id == scenario_run_id(f"{config.platform_run_id}|{'a' * 64}")


class _Manifest:
    manifest_fingerprint, parameter_hash, scenario_id, seed = "a" * 64, "b" * 64, "imported", 0
