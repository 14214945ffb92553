"""The engine is called as often as the plan allows, each attempt once, and every way in which it ends has its code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from planted_worlds import made
from scenario_runs import request_for, runner_over
from small_graph import IDENTITY
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US

from assay.app.pack.interface import CATALOGUE, GATE_MAP, Interface, interface_of
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.engine import Attempt, Outcome, ProcessEngine
from assay.app.runner.of_run import generate_command
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.record import Record
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Stop
from assay.contracts.ids import attempt_id
from assay.contracts.reasons import Reason

RUN = "5" * 32
NOTHING = [sys.executable, "-c", "print('made'); import sys; print('noise', file=sys.stderr)"]


class _Manifest:
    manifest_fingerprint, parameter_hash = IDENTITY.manifest_fingerprint, IDENTITY.parameter_hash
    scenario_id, seed = IDENTITY.scenario_id, IDENTITY.seed


class Maker:
    """An engine that fails so often before it makes the world, and counts its calls. It may end its process meanwhile."""

    def __init__(self, pack: DirectoryStore, failures: int = 0, ends: BaseException | None = None) -> None:
        self._pack, self._failures, self._ends = pack, failures, ends
        self.attempts: list[Attempt] = []

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        self.attempts.append(attempt)
        keep()
        if len(self.attempts) <= self._failures:
            return Outcome(Reason.ENGINE_EXIT_NONZERO, "status 3", b"", b"no memory")
        made(self._pack)
        if self._ends is not None:
            raise self._ends
        return Outcome(stdout=b"made")


class Ends:
    """An engine that ended so, whoever calls it."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def invoke(self, attempt: Attempt, keep: Callable[[], object]) -> Outcome:
        return self._outcome


class EndedError(BaseException):
    """The process ends here."""


class Scene:
    def __init__(self, folder: Path, interface: Interface) -> None:
        self.folder, self.interface = folder, interface
        self.pack, self.store = DirectoryStore(folder / "bank"), DirectoryStore(folder / "run" / "store")
        self.config = config_of(_Manifest())  # type: ignore[arg-type]
        self.maker = Maker(self.pack)

    def runner(self, limit: int = 1, **changes: Any) -> Runner:
        values = {"engine": self.maker, "policy": RunnerPolicy(evidence_wait_s=60, attempt_limit=limit), **changes}
        return runner_over(self.config, self.store, KeptRecords(), NOW_US, evidence=BankWorld(self.pack, self.interface), **values)

    def submit(self, limit: int = 1, strategy: str = "AUTO", runner: Runner | None = None, **changes: Any) -> Any:
        request = request_for(self.config, requested_strategy=strategy, engine_run_root=str(self.folder / "bank"), **changes)
        return (runner or self.runner(limit)).submit(request, wait=False)

    @property
    def told(self) -> list[str]:
        events = Record(self.store, RUN).read_on().events
        return [event["event_kind"].removeprefix("ENGINE_ATTEMPT_") for event in events if "ENGINE" in event["event_kind"]]

    def document(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store.read(f"sr/engine_attempts/run_id={RUN}/attempt_no={number}/attempt.json"))
        return found


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Interface:
    store = DirectoryStore(tmp_path_factory.mktemp("made"))
    made(store)
    return interface_of(store.read(CATALOGUE), store.read(GATE_MAP))


@pytest.fixture
def scene(tmp_path: Path, interface: Interface) -> Scene:
    return Scene(tmp_path, interface)


@pytest.mark.parametrize(("strategy", "there", "calls"), [
    ("AUTO", False, 1), ("AUTO", True, 0), ("FORCE_INVOKE", True, 1), ("FORCE_INVOKE", False, 1), ("FORCE_REUSE", True, 0),
])  # fmt: skip
def test_a_world_is_taken_or_made_as_the_strategy_says(scene: Scene, strategy: str, there: bool, calls: int) -> None:
    if there:
        made(scene.pack)
    assert scene.submit(strategy=strategy).state == "READY"
    assert len(scene.maker.attempts) == calls
    assert scene.submit(strategy=strategy).state == "READY"
    assert len(scene.maker.attempts) == calls, "a repeated request calls nothing"


def test_reuse_alone_waits_and_calls_nothing(scene: Scene) -> None:
    assert scene.submit(strategy="FORCE_REUSE").state == "WAITING_EVIDENCE"
    assert scene.maker.attempts == []


def test_an_attempt_is_recorded_with_its_id_and_its_outputs(scene: Scene) -> None:
    scene.submit()
    assert scene.told == ["LAUNCH_REQUESTED", "FINISHED"]
    document = scene.document(1)
    assert (document["attempt_id"], document["outcome"]) == (attempt_id(RUN, 1), "SUCCEEDED")
    assert document["invocation"]["request_id"] == scene.maker.attempts[0].attempt_id == attempt_id(RUN, 1)
    assert scene.store.read(document["logs_ref"]["stdout_ref"]) == b"made"


@pytest.mark.parametrize(("limit", "failures", "state"), [(1, 1, "FAILED"), (2, 1, "READY"), (2, 2, "FAILED"), (3, 2, "READY")])
@pytest.mark.parametrize("strategy", ["AUTO", "FORCE_INVOKE"])
def test_attempts_are_made_as_often_as_the_plan_allows(scene: Scene, strategy: str, limit: int, failures: int, state: str) -> None:
    scene.maker = Maker(scene.pack, failures)
    answer = scene.submit(limit, strategy)
    assert (answer.state, len(scene.maker.attempts)) == (state, min(limit, failures + 1))
    assert scene.document(1)["reason_code"] == "ENGINE_EXIT_NONZERO"
    if state == "FAILED":
        assert (answer.reason_code, "ENGINE_EXIT_NONZERO" in answer.why) == ("ATTEMPT_LIMIT_EXCEEDED", True)


@pytest.mark.parametrize(
    ("strategy", "limit", "state"), [("AUTO", 1, "READY"), ("FORCE_INVOKE", 1, "FAILED"), ("FORCE_INVOKE", 2, "READY")]
)
def test_an_attempt_whose_holder_ended_is_not_launched_again(scene: Scene, strategy: str, limit: int, state: str) -> None:
    """AUTO finds the world that was made; who insists on an attempt makes the next one, if the plan allows it."""
    scene.maker = Maker(scene.pack, ends=EndedError())
    with pytest.raises(EndedError):
        scene.submit(limit, strategy)
    scene.maker = Maker(scene.pack)
    answer = scene.submit(limit, strategy)
    assert answer.state == state
    assert [attempt.attempt_no for attempt in scene.maker.attempts] == ([2] if limit == 2 else [])
    if strategy == "FORCE_INVOKE":
        assert scene.document(1)["reason_code"] == Reason.ENGINE_OUTCOME_UNKNOWN.value


@pytest.mark.parametrize(
    ("engine", "root", "reason"), [(False, "somewhere", Reason.ENGINE_COMMAND_MISSING), (True, "", Reason.ENGINE_ROOT_MISSING)]
)
def test_a_run_that_asks_for_an_engine_that_cannot_be_called_fails(scene: Scene, engine: bool, root: str, reason: Reason) -> None:
    runner = scene.runner(engine=scene.maker if engine else None)
    request = request_for(scene.config, requested_strategy="FORCE_INVOKE", **({"engine_run_root": root} if root else {}))
    answer = runner.submit(request)
    assert (answer.state, answer.reason_code) == ("FAILED", reason.value)


def _receipt(**changes: Any) -> str:
    told = {"manifest_fingerprint": "a" * 64, "parameter_hash": "b" * 64, "seed": 7}
    return json.dumps({**told, **changes})


def outcome(folder: Path, command: Sequence[str], receipt: str = "", timeout_s: float = 60.0) -> Outcome:
    folder.mkdir(exist_ok=True)
    if receipt:
        (folder / "run_receipt.json").write_text(receipt)
    attempt = Attempt(RUN, 1, attempt_id(RUN, 1), "a" * 64, "b" * 64, 7, "s", str(folder))
    engine = ProcessEngine(lambda _: command, lambda root: DirectoryStore(Path(root)), timeout_s)
    return engine.invoke(attempt, bool)


@pytest.mark.parametrize(
    ("command", "receipt", "reason"),
    [
        (NOTHING, _receipt(), None),
        (NOTHING, "", Reason.ENGINE_RECEIPT_MISSING),
        (NOTHING, "{", Reason.ENGINE_RECEIPT_INVALID),
        (NOTHING, "[]", Reason.ENGINE_RECEIPT_INVALID),
        (NOTHING, "{}", Reason.ENGINE_RECEIPT_INVALID),
        (NOTHING, _receipt(seed=8), Reason.ENGINE_RECEIPT_MISMATCH),
        ([sys.executable, "-c", "raise SystemExit(3)"], _receipt(), Reason.ENGINE_EXIT_NONZERO),
        (["/nowhere/engine"], _receipt(), Reason.ENGINE_COMMAND_MISSING),
    ],
)
def test_every_end_of_a_process_has_its_code(scene: Scene, tmp_path: Path, command: list[str], receipt: str, reason: Reason | None) -> None:
    found = outcome(tmp_path / "world", command, receipt)
    assert found.reason is reason, found
    if command == NOTHING:
        assert (found.stdout, found.stderr) == (b"made\n", b"noise\n")
    if reason is not None:
        assert recorded(scene, found) == reason.name


def recorded(scene: Scene, ended: Outcome) -> str:
    """The code that a run whose engine ended so is given."""
    answer = scene.submit(runner=scene.runner(engine=Ends(ended)))
    code: str = scene.document(1)["reason_code"]
    assert (answer.state, code in answer.why) == ("FAILED", True)
    return code


def test_a_process_that_does_not_end_is_ended(scene: Scene, tmp_path: Path) -> None:
    script = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    command = [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {script}"]
    found = outcome(tmp_path / "world", command, _receipt(), timeout_s=3.0)
    assert found.reason is Reason.ENGINE_TIMEOUT
    assert recorded(scene, found) == "ENGINE_TIMEOUT"
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_the_command_names_the_scale_of_the_parameters() -> None:
    from assay.app.world.scales import SCALES
    from assay.engine.parameters import shipped

    for scale in SCALES:
        attempt = Attempt(RUN, 1, "c" * 32, "a" * 64, shipped(scale).hash, 7, "s", "s3://bucket/world")
        assert generate_command(attempt)[-7:] == ["--out", "s3://bucket/world", "--scale", scale, "--seed", "7", "--json"]
    with pytest.raises(Stop, match="ENGINE_INVOCATION_INVALID"):
        generate_command(attempt._replace(parameter_hash="0" * 64))
    unknown = ProcessEngine(generate_command, lambda root: DirectoryStore(Path(root)))
    assert unknown.invoke(attempt._replace(parameter_hash="0" * 64), bool).reason is Reason.ENGINE_INVOCATION_INVALID
