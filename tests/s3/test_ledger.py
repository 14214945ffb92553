"""The ledger of the Scenario Runner on a real S3 server: conditional writes, what is missing, and a server in trouble at any write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from faulty_proxy import Trouble
from oracles.examples import examples
from scenario_runs import refuse_two_effects, request_for, runner_over, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world
from troubled_store import Troubled, impatient_client

from assay.app.run.directory import RunConfig
from assay.app.runner.answers import show
from assay.app.runner.documents import PLAN, read_kept, read_status, status_ref, write_once, write_status
from assay.app.runner.record import Record, event_key
from assay.app.runner.runner import Runner
from assay.app.runner.states import RunState, Standing
from assay.app.stores.s3 import S3Store, client_of
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

RUN = "2b88459257839f87c28f07cd3522edd7"
#: objects that are written until the record says that all was published
WRITES = 13
PLANS = [one.value for one in examples("sr_run_plan") if one.reason is None]
TROUBLES = {
    Trouble.UNAVAILABLE: Reason.STORE_SILENT,
    Trouble.SILENT: Reason.STORE_SILENT,
    Trouble.UNANSWERED: Reason.STORE_SILENT,
    Trouble.FORBIDDEN: Reason.ACCESS_DENIED,
    Trouble.REFUTED: Reason.STORE_SILENT,
}
#: of them those that are tried in every run of the tests
USUAL = (Trouble.UNAVAILABLE, Trouble.UNANSWERED, Trouble.REFUTED)


class StoreInTrouble(S3Store):
    """A store whose server begins to make trouble at the n-th write."""

    def __init__(self, troubled: Troubled, trouble: Trouble, at: int) -> None:
        super().__init__(troubled.store.bucket, troubled.store.prefix, impatient_client())
        self._proxy, self._trouble, self._begins, self.writes = troubled.proxy, trouble, at, 0

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        self.writes += 1
        if self.writes == self._begins:
            self._proxy.become(self._trouble)
        return super()._put(key, data, condition)


class Scene(NamedTuple):
    """A run whose world lies in the bucket."""

    troubled: Troubled
    config: RunConfig
    bus: KeptRecords
    folder: Path

    def runner(self, store: S3Store) -> Runner:
        return runner_over(self.config, store, self.bus, NOW_US, authority=sqlite_authority(self.folder / "authority.db"))

    def submit(self, store: S3Store) -> Any:
        return self.runner(store).submit(request_for(self.config))


@pytest.fixture
def scene(troubled: Troubled, tmp_path: Path) -> Iterator[Scene]:
    world = small_world(tmp_path)
    for key in world.store.keys("oracle"):
        troubled.around.create(key, world.store.read(key))
    yield Scene(troubled, config_of(world.manifest), KeptRecords(), tmp_path)
    troubled.proxy.become(Trouble.NONE)


def tags(store: S3Store) -> dict[str, str]:
    """Every object with the server's tag of its content and the time of its writing."""
    return {one["Key"]: f"{one['ETag']} {one['LastModified']}" for one in store._listed("sr")}


def test_a_run_becomes_ready_in_a_bucket_and_asking_again_writes_nothing(scene: Scene) -> None:
    store = StoreInTrouble(scene.troubled, Trouble.NONE, 0)
    answer = scene.submit(store)
    assert (answer.state, store.writes) == ("READY", WRITES)
    refuse_two_effects(store, scene.config, scene.bus)
    before, published = tags(store), len(scene.bus.published)
    assert scene.submit(scene.troubled.around) == answer == show(store, scene.config.scenario_run_id)
    assert (tags(store), len(scene.bus.published)) == (before, published)


def of_seed(seed: int) -> list[Any]:
    """One write that a seed chooses for each trouble that is soon over, and all others for long runs."""
    chosen = {trouble: Random(f"{seed} {trouble}").randint(1, WRITES) for trouble in TROUBLES}
    usual = {(trouble, chosen[trouble]) for trouble in USUAL}
    marks = {(trouble, at): () if (trouble, at) in usual else pytest.mark.long for trouble in TROUBLES for at in range(1, WRITES + 1)}
    return [pytest.param(trouble, at, marks=mark, id=f"{trouble} at write {at}") for (trouble, at), mark in marks.items()]


@pytest.mark.parametrize(("trouble", "at"), of_seed(24))
def test_a_server_in_trouble_at_any_write_is_told_and_one_ready_follows(scene: Scene, trouble: Trouble, at: int) -> None:
    with pytest.raises(AssayError) as refused:
        scene.submit(StoreInTrouble(scene.troubled, trouble, at))
    assert refused.value.reason is TROUBLES[trouble]
    scene.troubled.proxy.become(Trouble.NONE)
    assert scene.submit(scene.troubled.store).state == "READY"
    refuse_two_effects(scene.troubled.around, scene.config, scene.bus)


READS: list[tuple[str, Callable[[S3Store], object]]] = [
    ("a document", lambda store: read_kept(store, PLAN, RUN)),
    ("a record", lambda store: Record(store, RUN).read_on()),
    ("a status", lambda store: read_status(store, RUN)),
    ("an answer", lambda store: show(store, RUN)),
    ("a write", lambda store: write_once(store, PLAN, RUN, PLANS[0])),
    ("an event", lambda store: Record(store, RUN).append("NOTE", {}, NOW_US)),
]


@pytest.mark.parametrize(
    "trouble", [Trouble.UNAVAILABLE, Trouble.FORBIDDEN, Trouble.REFUTED, pytest.param(Trouble.SILENT, marks=pytest.mark.long)]
)
def test_no_answer_is_never_taken_for_missing(troubled: Troubled, trouble: Trouble) -> None:
    troubled.proxy.become(trouble)
    for what, call in READS:
        with pytest.raises(AssayError) as refused:
            call(troubled.store)
        assert refused.value.reason is TROUBLES[trouble], what
    assert list(troubled.around.keys("")) == []


def test_404_means_missing(troubled: Troubled) -> None:
    store = troubled.store
    assert (read_kept(store, PLAN, RUN), read_status(store, RUN), Record(store, RUN).read_on().events) == (None, None, [])
    with pytest.raises(Stop) as refused:
        show(store, RUN)
    assert refused.value.reason is Reason.RUN_MISSING
    with pytest.raises(Stop) as refused:
        show(S3Store("no-such-bucket", "", client_of()), RUN)
    assert refused.value.reason is Reason.FILE_REFUSED, "a bucket that is not there says nothing of its objects"


def test_a_document_is_written_once_and_another_is_drift(troubled: Troubled) -> None:
    store, plan = troubled.store, PLANS[0]
    write_once(store, PLAN, RUN, plan)
    before = tags(store)
    write_once(store, PLAN, RUN, plan)
    with pytest.raises(Stop) as refused:
        write_once(store, PLAN, RUN, {**plan, "plan_hash": "d" * 64})
    assert refused.value.reason is Reason.PLAN_DRIFT
    assert tags(store) == before


def test_a_number_of_the_record_is_given_once_and_a_lower_fence_gets_none(troubled: Troubled) -> None:
    first, second = Record(troubled.store, RUN), Record(troubled.around, RUN)
    first.append("LEASE_ACQUIRED", {"owner_id": "a", "fence": 1}, NOW_US, 1)
    second.append("LEASE_ACQUIRED", {"owner_id": "b", "fence": 2}, NOW_US, 2)
    with pytest.raises(Stop) as refused:
        first.append("RUN_ACCEPTED", {}, NOW_US, 1)
    assert refused.value.reason is Reason.LEASE_LOST
    assert [event["fence"] for event in Record(troubled.around, RUN).read_on().events] == [1, 2]


class Overtaken(S3Store):
    """A store in which another runner replaces the status behind the read and before the write."""

    other: Callable[[], object] = staticmethod(bool)

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        other, self.other = self.other, bool
        other()
        return super()._put(key, data, condition)


@pytest.mark.parametrize("there", [False, True], ids=["If-None-Match", "If-Match"])
def test_a_status_that_another_runner_brought_further_stays(troubled: Troubled, there: bool) -> None:
    around = troubled.around
    standings = [Standing(state=RunState.OPEN, number=number, ts_utc="2030-01-01T00:00:00.000000Z") for number in (1, 2, 3)]
    if there:
        assert write_status(around, RUN, standings[0])
    store = Overtaken(around.bucket, around.prefix, client_of())
    store.other = lambda: write_status(around, RUN, standings[2])
    assert not write_status(store, RUN, standings[1])
    found = read_status(around, RUN)
    assert found is not None
    assert found["record_number"] == 3


def test_a_server_that_refuses_a_write_for_an_object_that_it_does_not_show_is_told(troubled: Troubled) -> None:
    class Refuses(S3Store):
        def _put(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
            return False

    store = Refuses(troubled.around.bucket, troubled.around.prefix, client_of())
    standing = Standing(state=RunState.OPEN, number=1, ts_utc="2030-01-01T00:00:00.000000Z")
    for call, where in (
        (lambda: Record(store, RUN).append("LEASE_ACQUIRED", {"owner_id": "a", "fence": 1}, NOW_US, 1), event_key(RUN, 0)),
        (lambda: write_once(store, PLAN, RUN, PLANS[0]), PLAN.key(RUN)),
        (lambda: write_status(store, RUN, standing), status_ref(RUN)),
    ):
        with pytest.raises(Retry) as refused:
            call()
        assert (refused.value.reason, refused.value.where) == (Reason.STORE_SILENT, where)
