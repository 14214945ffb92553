"""A run that ends without READY says so once: record, status, the signal's file, bus. Whoever waits for READY hears it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ending_processes import EndedError, EndingBus, EndingStore
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.agents.components import LABEL_DELIVERY, WORLD_STREAMER
from assay.app.bus.publisher import Publisher
from assay.app.bus.topic_reader import TopicRecord
from assay.app.control_bus.file_bus import FileControlBus
from assay.app.control_bus.kafka_bus import KafkaControlBus
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import RunConfig
from assay.app.runner.documents import TERMINAL_SIGNAL, read_kept, read_status
from assay.app.runner.ended import end_of
from assay.app.runner.record import Record
from assay.app.runner.reemit import reemit
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore
from assay.app.streamer.ready import await_ready
from assay.app.worker import waiting
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

S_US = 1_000_000
TOPIC = "fp.bus.control.v1"
STORY = ["LEASE_ACQUIRED", "RUN_ACCEPTED", "PLAN_COMMITTED", "GOV_POLICY_REV", "EVIDENCE_CONFLICT", "TERMINAL_PUBLISHED"]


class Scene:
    """A run whose world was damaged before it was looked at."""

    def __init__(self, folder: Path) -> None:
        self.world: SealedWorld = small_world(folder)
        part = self.world.manifest.stream_view[0]
        self.world.store.replace(f"{self.world.root}/{part.key}", b"something else")
        self.config: RunConfig = config_of(self.world.manifest)
        self.bus, self.run_id = KeptRecords(), self.config.scenario_run_id
        self.request = request_for(self.config)

    def runner(self, seconds: int = 0, store: DirectoryStore | None = None, bus: Publisher | None = None, **changes: Any) -> Runner:
        return runner_over(self.config, store or sealed(self.world), bus or self.bus, NOW_US + seconds * S_US, **changes)

    @property
    def told(self) -> list[str]:
        return [event["event_kind"] for event in Record(self.world.store, self.run_id).read_on().events]

    def refuse_two_ends(self) -> None:
        """One signal by its id, one story, one status, and a file that says what the bus says."""
        (key,) = {record["event_id"] for _, name, record in self.bus.read() if name == "run_terminal_signal"}
        signal = read_kept(self.world.store, TERMINAL_SIGNAL, self.run_id)
        assert signal is not None
        assert signal["reemit_key"] == key
        notes = ("LEASE_ACQUIRED", "GOV_POLICY_REV", "TERMINAL_PUBLISH_FAILED")
        assert [kind for kind in self.told if kind not in notes] == [kind for kind in STORY if kind not in notes]
        status = read_status(self.world.store, self.run_id)
        assert status is not None
        assert (status["state"], status["reason_code"]) == ("QUARANTINED", "EVIDENCE_CONFLICT")

    def topic(self) -> list[TopicRecord]:
        """What the lanes' control topic holds."""
        records = [record for handle, record in self.bus.published if handle == "FP_BUS_CONTROL_V1"]
        return [
            TopicRecord(0, at, one.key, one.value, headers=tuple((name, text.encode()) for name, text in one.headers.items()))
            for at, one in enumerate(records)
        ]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_the_end_of_a_run_is_said_once_behind_its_record(scene: Scene) -> None:
    answer = scene.runner().submit(scene.request)
    assert scene.told == STORY
    ((handle, name, record),) = scene.bus.read()
    assert (handle, name) == ("FP_BUS_CONTROL_V1", "run_terminal_signal")
    assert record["pins"] == scene.config.pins.as_avro()
    assert (record["status_state"], record["reason_code"]) == (answer.state, answer.reason_code) == ("QUARANTINED", "EVIDENCE_CONFLICT")
    assert (record["status_ref"], record["record_ref"]) == (answer.status_ref, answer.record_ref)
    assert scene.runner(10**6).submit(scene.request) == answer
    assert (len(scene.bus.published), scene.told) == (1, STORY)
    scene.refuse_two_ends()


WRITES = 14
#: the writes before this one are those of a run that becomes READY, whose tests crash there, too
AS_READY = 8


@pytest.mark.parametrize("written", [pytest.param(False, id="before", marks=pytest.mark.long), pytest.param(True, id="behind")])
@pytest.mark.parametrize("at", [pytest.param(at, marks=pytest.mark.long) if at < AS_READY else at for at in range(1, WRITES + 1)])
def test_a_crash_at_any_write_is_followed_by_one_end(scene: Scene, at: int, written: bool) -> None:
    with pytest.raises(EndedError):
        scene.runner(0, EndingStore(sealed(scene.world).root, at, written=written)).submit(scene.request)
    scene.runner(400).submit(scene.request)
    scene.refuse_two_ends()


def test_there_are_no_more_writes_than_those_at_which_the_tests_crash(scene: Scene) -> None:
    store = EndingStore(sealed(scene.world).root, 0, written=False)
    scene.runner(0, store).submit(scene.request)
    assert store.writes == WRITES


def test_a_crash_behind_the_publication_is_followed_by_the_same_signal(scene: Scene) -> None:
    with pytest.raises(EndedError):
        scene.runner(bus=EndingBus(scene.bus, 1)).submit(scene.request)
    scene.runner(400).submit(scene.request)
    (_, first), (_, second) = scene.bus.published
    assert first[:3] == second[:3]
    scene.refuse_two_ends()


def test_an_end_that_could_not_be_published_is_published_by_the_next_request(scene: Scene) -> None:
    scene.bus.away = True
    with pytest.raises(Stop, match="PRODUCE_FAILED"):
        scene.runner().submit(scene.request)
    assert scene.told == [*STORY[:-1], "TERMINAL_PUBLISH_FAILED"]
    scene.bus.away = False
    scene.runner(1).submit(scene.request)
    scene.refuse_two_ends()


def test_the_end_stands_once_on_another_control_bus_and_is_said_again_with_its_id(tmp_path: Path, scene: Scene) -> None:
    control = FileControlBus(tmp_path / "control", TOPIC, lambda: NOW_US)
    scene.runner(control=control).submit(scene.request)
    asked = {"run_id": scene.run_id, "reason": "nobody heard it", "requested_by": "me", "reemit_kind": "TERMINAL_ONLY"}
    (key,) = reemit(scene.runner(1, control=control), asked).published
    (found,) = [published.message for published in control.read()]
    assert (found.message_id, found.partition_key) == (key, scene.run_id)
    assert dict(found.attributes) == {"kind": "TERMINAL", "run_id": scene.run_id}
    assert found.payload == read_kept(scene.world.store, TERMINAL_SIGNAL, scene.run_id)
    kinds = [json.loads(record.headers["attributes"])["kind"] for _, record in scene.bus.published]
    assert kinds == ["TERMINAL", "TERMINAL_REEMIT"]
    kafka = KafkaControlBus(scene.bus, lambda first: iter(scene.topic()[first:]), TOPIC, lambda: NOW_US)
    assert [published.message for published in kafka.read()] == [found]


def test_who_waits_for_ready_hears_how_the_run_ended(scene: Scene) -> None:
    scene.runner().submit(scene.request)
    records = scene.topic()
    for reader in (WORLD_STREAMER, LABEL_DELIVERY):
        with pytest.raises(Stop, match="the run is QUARANTINED by EVIDENCE_CONFLICT") as told:
            await_ready(reader, lambda first: records[first:], scene.config.pins, scene.config.digest, 5.0)
        assert told.value.reason is Reason.EVIDENCE_CONFLICT


@pytest.mark.parametrize("pin", [{"scenario_run_id": "7" * 32}, {"platform_run_id": "platform_20250101T000000Z"}])
def test_the_end_of_another_run_ends_no_wait(scene: Scene, pin: dict[str, str]) -> None:
    scene.runner().submit(scene.request)
    records, other = scene.topic(), scene.config.model_copy(update=pin)
    with pytest.raises(Stop) as told:
        await_ready(WORLD_STREAMER, lambda first: records[first:], other.pins, other.digest, 0.0)
    assert told.value.reason is Reason.RUN_NOT_READY


def test_a_lane_waits_no_longer_for_a_run_that_ended(scene: Scene) -> None:
    waits = {"rtdl/0": ["FP_BUS_CONTROL_V1", "FP_BUS_POSTURE_V1"], "act/0": []}
    assert waiting(waits, lambda: end_of(scene.world.store, scene.run_id)) == {"waits_for": waits}
    scene.runner().submit(scene.request)
    ended = {"state": "QUARANTINED", "reason_code": "EVIDENCE_CONFLICT"}
    assert waiting(waits, lambda: end_of(scene.world.store, scene.run_id)) == {"waits_for": {"rtdl/0": [], "act/0": []}, "run_ended": ended}


def test_a_store_is_asked_for_the_end_of_a_run_only_while_a_lane_waits_for_the_control_topic() -> None:
    def end() -> dict[str, str]:
        raise AssertionError("asked")

    assert waiting({"rtdl/0": ["FP_BUS_LABELS_EVENTS_V1"]}, end) == {"waits_for": {"rtdl/0": ["FP_BUS_LABELS_EVENTS_V1"]}}
