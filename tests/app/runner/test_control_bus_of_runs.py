"""READY is said on the topic of the lanes, and on another control bus where one is wired: once, whatever ends between the two."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.control_bus.file_bus import FileControlBus
from assay.app.control_bus.kinesis_bus import KinesisControlBus
from assay.app.control_bus.port import ControlMessage
from assay.app.oracle.sealed_world import SealedWorld
from assay.app.run.directory import Run
from assay.app.runner.of_run import control_of, policy_of
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.reemit import reemit
from assay.app.runner.runner import Runner
from assay.app.settings import load_settings
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

TOPIC = "fp.bus.control.v1"


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    return small_world(tmp_path)


def bus_in(folder: Path) -> FileControlBus:
    return FileControlBus(folder / "control", TOPIC, lambda: NOW_US)


def runner(world: SealedWorld, kafka: KeptRecords, control: FileControlBus) -> Runner:
    return runner_over(config_of(world.manifest), sealed(world), kafka, NOW_US, control=control)


def test_ready_stands_once_on_the_control_bus_however_often_it_is_asked_for_or_said_again(tmp_path: Path, world: SealedWorld) -> None:
    kafka, control, config = KeptRecords(), bus_in(tmp_path), config_of(world.manifest)
    answer = runner(world, kafka, control).submit(request_for(config))
    assert runner(world, kafka, control).submit(request_for(config)) == answer
    reemit(runner(world, kafka, control), {"run_id": answer.run_id, "reason": "nobody heard it", "requested_by": "me"})
    (found,) = [published.message for published in control.read()]
    assert (found.message_id, found.partition_key) == (answer.message_id, answer.run_id)
    assert dict(found.attributes) == {"kind": "READY", "run_id": answer.run_id}
    assert found.payload["bundle_hash"] and found.payload["event_type"] == "run_ready"
    assert [name for _, name, _ in kafka.read()].count("run_ready") == 2, "Kafka keeps both, and readers take the first"


class AwayOnce(FileControlBus):
    """A control bus that is away at the first call."""

    away = True

    def publish(self, message: ControlMessage) -> None:
        if self.away:
            self.away = False
            raise Retry(Reason.BROKER_UNREACHABLE, "the control bus is away", where="here", remedy="Again.")
        super().publish(message)


def test_a_run_is_announced_only_when_the_control_bus_has_it_too(tmp_path: Path, world: SealedWorld) -> None:
    kafka, config = KeptRecords(), config_of(world.manifest)
    control = AwayOnce(tmp_path / "control", TOPIC, lambda: NOW_US)
    with pytest.raises(Retry, match="BROKER_UNREACHABLE"):
        runner(world, kafka, control).submit(request_for(config))
    assert list(control.read()) == []
    answer = runner(world, kafka, control).submit(request_for(config))
    assert [published.message.message_id for published in control.read()] == [answer.message_id]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, None),
        ({"control_bus": "kafka"}, None),
        ({"control_bus": "file"}, FileControlBus),
        ({"control_bus": "kinesis", "control_bus_endpoint": "http://127.0.0.1:9", "control_bus_region": "eu-west-1"}, KinesisControlBus),
    ],
)
def test_the_settings_name_the_control_bus_beside_the_topic_of_the_lanes(
    tmp_path: Path, world: SealedWorld, given: dict[str, str], kind: type | None
) -> None:
    run = Run(directory=tmp_path / "run", config=config_of(world.manifest), bootstrap="b:1", dsn="")
    made = control_of(run, load_settings(**given))
    assert type(made) is (kind or type(None))


def test_a_profile_says_how_evidence_is_taken() -> None:
    assert policy_of(load_settings()) == RunnerPolicy()
    assert policy_of(load_settings(profile="local")) == RunnerPolicy(evidence_wait_s=600, attempt_limit=1, reuse=True)


def test_a_profile_of_ones_own_counts(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "assay/contracts/profiles/local.yaml").read_text()
    assert "evidence_wait_s: 600" in text
    (tmp_path / "mine.yaml").write_text(text.replace("evidence_wait_s: 600, attempt_limit: 1", "evidence_wait_s: 5, attempt_limit: 3"))
    assert policy_of(load_settings(profile=str(tmp_path / "mine.yaml"))) == RunnerPolicy(evidence_wait_s=5, attempt_limit=3)
