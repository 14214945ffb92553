"""Scenario runners over small worlds, and requests for the run of a configuration."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from small_runs import KeptRecords

from assay.app.authority.migrate import migrate
from assay.app.authority.store import SqlAuthority, open_authority
from assay.app.bus.publisher import Publisher
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.progress import unseen
from assay.app.run.directory import RunConfig
from assay.app.runner.answers import RunAnswer
from assay.app.runner.documents import status_ref
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.record import Record
from assay.app.runner.request import RunRequest, read_request, request_of_run
from assay.app.runner.runner import Runner
from assay.app.runner.states import RunState
from assay.app.stores.objects import DirectoryStore, ObjectStore


class RunOfConfig(RunRequest):
    """A request whose key names the run of a configuration, whatever that is: configurations of tests have ids of their own."""

    named = ""

    @property
    def run_id(self) -> str:
        return self.named


def request_for(config: RunConfig, **changes: Any) -> RunRequest:
    """The request for the run of a configuration."""
    read = read_request({**request_of_run(config), **changes})
    made = RunOfConfig(**vars(read))
    object.__setattr__(made, "named", config.scenario_run_id)
    return made


@cache
def _migrated() -> bytes:
    """An empty database with the present schema."""
    with tempfile.TemporaryDirectory() as room:
        migrate(f"sqlite:///{room}/empty.db")
        return (Path(room) / "empty.db").read_bytes()


def sqlite_authority(file: Path) -> SqlAuthority:
    """The authority in a file, which is made where there is none."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{threading.get_ident()}")
        draft.write_bytes(_migrated())
        with suppress(FileExistsError):  # another thread made it meanwhile
            os.link(draft, file)
    return open_authority(f"sqlite:///{file}")


def _beside(store: ObjectStore) -> SqlAuthority:
    assert isinstance(store, DirectoryStore)
    return sqlite_authority(store.root.parent / "authority.db")


def runner_over(
    config: RunConfig, store: ObjectStore, bus: Publisher, now_us: int, checked: Callable[[int, int], None] = unseen, **changes: Any
) -> Runner:
    """A runner at an instant, with the authority of its store where none is given."""

    def clock() -> int:
        return now_us

    def pause(_: float) -> None:
        raise AssertionError("the evidence is not complete")

    values: dict[str, Any] = {
        "config": config,
        "store": store,
        "authority": changes.get("authority") or _beside(store),
        "evidence": ImportedWorld(store, config, clock, checked),
        "publisher": bus,
        "clock": clock,
        "steady": changes.get("clock", clock),
        "pause": pause,
        "owner_id": "test",
    }
    return Runner(**{**values, **changes})


def run_scenario(
    config: RunConfig, store: ObjectStore, bus: Publisher, now_us: int, checked: Callable[[int, int], None] = unseen
) -> RunAnswer:
    """Bring the run of a configuration to READY."""
    assert isinstance(store, DirectoryStore)
    return runner_over(config, store, bus, now_us, checked).submit(request_for(config))


def sealed(world: SealedWorld) -> DirectoryStore:
    """The store of a world."""
    assert isinstance(world.store, DirectoryStore)
    return world.store


#: how the record of a run begins, whoever was killed on the way
PLANNED = ["RUN_ACCEPTED", "PLAN_COMMITTED", "GOV_POLICY_REV"]


def refuse_two_effects(store: ObjectStore, config: RunConfig, bus: KeptRecords) -> None:
    """One READY by its id, and no signal behind a final mark; the record tells one story, and the status the same."""
    ready = {record["event_id"] for _, name, record in bus.read() if name == "run_ready"}
    assert len(ready) == 1
    for handle in ("FP_BUS_POSTURE_V1", "FP_BUS_CONTROL_V1"):
        of_topic = [name for of, name, _ in bus.read() if of == handle]
        assert of_topic == sorted(of_topic, key="mark".__eq__)
    record = Record(store, config.scenario_run_id).read_on()
    told = [event["event_kind"] for event in record.events if event["event_kind"] not in ("LEASE_ACQUIRED", "READY_PUBLISH_FAILED")]
    assert len(told) == len(set(told))
    assert told[: len(PLANNED)] == PLANNED
    status = json.loads(store.read(status_ref(record.run_id)))
    assert (status["state"], status["record_number"]) == (RunState.READY, record.standing.number)
