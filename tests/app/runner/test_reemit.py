"""A run is said again with the id that it had: the table of states and kinds, and who may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.examples import examples
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.runner.derived import terminal_signal
from assay.app.runner.documents import FACTS_VIEW, READY_SIGNAL, TERMINAL_SIGNAL, read_kept
from assay.app.runner.record import Record
from assay.app.runner.reemit import ReemitPolicy, What, chosen, reemit
from assay.app.runner.runner import Runner
from assay.app.runner.states import RunState
from assay.contracts.errors import AssayError
from assay.contracts.ids import ready_message_id
from assay.contracts.reasons import Reason

OVERRIDE = next(one.value for one in examples("sr_reemit_request") if one.name == "to_another_run")["cross_run_override"]
OTHER = "platform_20270101T000000Z"
S_US = 1_000_000
READY, TERMINAL = True, False
NEITHER = Reason.REEMIT_NOT_APPLICABLE
#: state → what READY_ONLY, TERMINAL_ONLY and BOTH say
TABLE: dict[RunState | None, tuple[bool | Reason, bool | Reason, bool | Reason]] = {
    **dict.fromkeys((None, RunState.OPEN, RunState.PLANNED, RunState.EXECUTING, RunState.WAITING_EVIDENCE), (NEITHER, NEITHER, NEITHER)),
    RunState.READY: (READY, Reason.REEMIT_TERMINAL_ONLY_MISMATCH, READY),
    RunState.FAILED: (Reason.REEMIT_READY_ONLY_MISMATCH, TERMINAL, TERMINAL),
    RunState.QUARANTINED: (Reason.REEMIT_READY_ONLY_MISMATCH, TERMINAL, TERMINAL),
}


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("what", list(What))
def test_what_is_said_again_is_a_table_of_states_and_kinds(state: RunState | None, what: What) -> None:
    wanted = TABLE[state][list(What).index(what)]
    if isinstance(wanted, Reason):
        with pytest.raises(AssayError) as refused:
            chosen(state, what)
        assert refused.value.reason is wanted
    else:
        assert chosen(state, what) is wanted


class Scene:
    """A run of a small world that ended, with a runner that may say it again at an instant."""

    def __init__(self, folder: Path, *, damaged: bool = False) -> None:
        self.world: SealedWorld = small_world(folder)
        self.config = config_of(self.world.manifest)
        self.bus = KeptRecords()
        if damaged:
            part = self.world.manifest.stream_view[0]
            self.world.store.replace(f"{self.world.root}/{part.key}", b"something else")
        self.at(0).submit(request_for(self.config))
        self.run_id = self.config.scenario_run_id

    def at(self, seconds: int) -> Runner:
        return runner_over(self.config, sealed(self.world), self.bus, NOW_US + seconds * S_US)

    def say(self, seconds: int = 1, policy: ReemitPolicy | None = None, **changes: Any) -> Any:
        document = {"run_id": self.run_id, "reason": "lost", "requested_by": "ops", **changes}
        return reemit(self.at(seconds), document, policy)

    @property
    def ready(self) -> list[str]:
        """Ids of the READYs on the bus."""
        return [record["event_id"] for _, name, record in self.bus.read() if name == "run_ready"]

    @property
    def told(self) -> list[str]:
        return [event["event_kind"] for event in Record(self.world.store, self.run_id).read_on().events]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_ready_is_said_again_with_the_id_that_it_had(scene: Scene) -> None:
    _, first = scene.bus.published[2]
    for seconds in (1, 100):
        assert scene.say(seconds).published == (scene.ready[0],)
    assert len(set(scene.ready)) == 1
    _, last = scene.bus.published[-1]
    assert last[:3] == first[:3], "the same bytes under the same key"
    assert [json.loads(record.headers["attributes"])["kind"] for record in (first, last)] == ["READY", "READY_REEMIT"]
    assert scene.told.count("REEMIT_REQUESTED") == scene.told.count("REEMIT_PUBLISHED") == 2, "two equal requests are two events"


def test_a_terminal_signal_is_said_again_with_its_key(tmp_path: Path) -> None:
    scene = Scene(tmp_path, damaged=True)
    signal = read_kept(scene.world.store, TERMINAL_SIGNAL, scene.run_id)
    assert signal == terminal_signal(Record(scene.world.store, scene.run_id).read_on())
    assert scene.say(reemit_kind="TERMINAL_ONLY").published == (signal["reemit_key"],)
    assert scene.ready == []


def test_a_dry_run_says_what_it_would_say_and_says_nothing(scene: Scene) -> None:
    before = len(scene.bus.published)
    answer = scene.say(dry_run=True)
    assert (answer.published, scene.ready[0] in answer.message) == ((), True)
    assert len(scene.bus.published) == before
    assert scene.told[-1] == "REEMIT_DRY_RUN"


@pytest.mark.parametrize(
    ("changes", "policy", "reason"),
    [
        ({"reemit_kind": "TERMINAL_ONLY"}, None, Reason.REEMIT_TERMINAL_ONLY_MISMATCH),
        ({"emit_platform_run_id": OTHER}, None, Reason.CROSS_RUN_OVERRIDE_REQUIRED),
        (
            {"emit_platform_run_id": OTHER, "cross_run_override": OVERRIDE},
            ReemitPolicy(cross_run_reasons=("DISASTER",)),
            Reason.CROSS_RUN_OVERRIDE_REASON_NOT_ALLOWED,
        ),
        ({"run_id": "0" * 32}, None, Reason.RUN_MISSING),
        ({"run_id": "latest"}, None, Reason.SCHEMA_FAIL),
        ({"reemit_kind": "ALL"}, None, Reason.SCHEMA_FAIL),
    ],
)
def test_refused_and_nothing_is_said(scene: Scene, changes: dict[str, Any], policy: ReemitPolicy | None, reason: Reason) -> None:
    before = len(scene.bus.published)
    with pytest.raises(AssayError) as refused:
        scene.say(policy=policy, **changes)
    assert refused.value.reason is reason
    assert len(scene.bus.published) == before


def test_an_approved_override_says_it_for_another_platform_run_under_another_id(scene: Scene) -> None:
    policy = ReemitPolicy(cross_run_reasons=("REPLAY",))
    answer = scene.say(policy=policy, emit_platform_run_id=OTHER, cross_run_override=OVERRIDE)
    facts = read_kept(scene.world.store, FACTS_VIEW, scene.run_id)
    assert facts is not None
    assert answer.published == (ready_message_id(OTHER, scene.run_id, facts["bundle_hash"]),)
    assert "GOV_REEMIT_OVERRIDE_APPROVED" in scene.told


def test_ready_without_its_facts_view_is_not_said(scene: Scene) -> None:
    sealed(scene.world).remove(FACTS_VIEW.key(scene.run_id))
    with pytest.raises(AssayError) as refused:
        scene.say()
    assert refused.value.reason is Reason.FACTS_VIEW_MISSING
    assert scene.told[-1] == "REEMIT_FAILED"
    assert read_kept(scene.world.store, READY_SIGNAL, scene.run_id) is not None


def test_a_run_is_said_again_only_so_often_within_a_window(scene: Scene) -> None:
    policy = ReemitPolicy(limit=2, window_us=60 * S_US)
    for seconds in (10, 20):
        scene.say(seconds, policy)
    with pytest.raises(AssayError) as refused:
        scene.say(69, policy)
    assert refused.value.reason is Reason.REEMIT_RATE_LIMIT
    scene.say(69, policy, dry_run=True)
    scene.say(70, policy)


def test_two_do_not_say_the_same_at_once(scene: Scene) -> None:
    runner = scene.at(1)
    lease = runner.authority.acquire(f"reemit:{scene.run_id}:BOTH", "another", 60 * S_US, NOW_US + S_US)
    assert lease is not None
    with pytest.raises(AssayError) as refused:
        scene.say(1)
    assert refused.value.reason is Reason.REEMIT_BUSY
    runner.authority.release(lease, NOW_US + S_US)
    scene.say(1)
