"""A live run goes through the Scenario Runner: a request, a plan without outputs, a facts view of its policy, one READY."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scenario_runs import refuse_two_effects, sqlite_authority
from small_runs import KeptRecords
from small_worlds import NOW_US

from assay.app.demo.new_run import live_config
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.runner.answers import RunAnswer, show
from assay.app.runner.documents import FACTS_VIEW, PLAN, read_kept
from assay.app.runner.of_run import runner_of
from assay.app.runner.reemit import reemit
from assay.app.runner.request import read_request, request_of_run
from assay.app.streamer.facts import facts_of
from assay.contracts.errors import Stop
from assay.contracts.instants import parse
from assay.contracts.reasons import Reason

ID = "platform_20260101T000203Z"


class Scene:
    """The directory of a live run with its database."""

    def __init__(self, folder: Path) -> None:
        sqlite_authority(folder / "authority.db")
        self.bus = KeptRecords()
        config = live_config(ID, load_policy("handbook"))
        self.run = Run(directory=folder / "run", config=config, bootstrap="127.0.0.1:1", dsn=f"sqlite:///{folder}/authority.db")

    def up(self, **asked: Any) -> RunAnswer:
        """Ask for the run as `assay up` does, with a runner of its own."""
        request = read_request({**request_of_run(self.run.config), **asked})
        return runner_of(self.run, self.bus).submit(request)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_live_run_is_ready_by_its_policy_alone_and_stays_so(scene: Scene) -> None:
    answer = scene.up()
    store, config = scene.run.store, scene.run.config
    assert (answer.state, answer.run_id) == ("READY", config.scenario_run_id)
    assert [name for _, name, _ in scene.bus.read()] == ["feature_set", "posture", "run_ready"]
    plan, facts = (read_kept(store, kind, answer.run_id) for kind in (PLAN, FACTS_VIEW))
    assert plan is not None
    assert facts is not None
    assert (plan["intended_outputs"], plan["required_gates"], facts["locators"]) == ([], [], [])
    assert (facts["policy_rev"]["policy_id"], facts["run_config_digest"]) == ("handbook_rules", config.digest.hex())
    before = list(scene.bus.published)
    assert scene.up() == answer == show(store, answer.run_id)
    assert scene.bus.published == before, "a second start says nothing again"
    refuse_two_effects(store, config, scene.bus)


def test_ready_of_a_live_run_depends_on_no_clock(tmp_path: Path) -> None:
    scenes = [Scene(tmp_path / name) for name in ("a", "b")]
    readies = []
    for scene in scenes:
        scene.up()
        (ready,) = [record for _, name, record in scene.bus.read() if name == "run_ready"]
        readies.append(ready)
    assert readies[0] == readies[1]
    assert readies[0]["ts_utc"] == parse("2026-01-01T00:02:03.000000Z") < NOW_US * 2


def test_a_live_run_is_said_again_as_any_other(scene: Scene) -> None:
    answer = scene.up()
    document = {"run_id": answer.run_id, "reason": "lost", "requested_by": "ops"}
    assert reemit(runner_of(scene.run, scene.bus), document).published == (answer.message_id,)
    kinds = [json.loads(record.headers["attributes"])["kind"] for _, record in scene.bus.published if record.headers]
    assert kinds == ["READY", "READY_REEMIT"]


@pytest.mark.parametrize("asked", [{"seed": 7}, {"output_ids": ["payments"]}, {"engine_run_root": "/somewhere"}])
def test_a_request_for_a_world_is_refused_by_a_live_run(scene: Scene, asked: dict[str, Any]) -> None:
    answer = scene.up(**asked)
    assert (answer.state, answer.reason_code) == ("FAILED", "RUN_SCOPE_MISMATCH")


def test_nothing_of_a_live_run_can_be_streamed(scene: Scene) -> None:
    scene.up()
    (ready,) = [record for _, name, record in scene.bus.read() if name == "run_ready"]
    with pytest.raises(Stop) as refused:
        facts_of(scene.run.store, ready, scene.run.config.pins)
    assert refused.value.reason is Reason.OUTPUT_NOT_STREAMED
