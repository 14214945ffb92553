"""The policy of a run is changed by the Scenario Runner: kept, noted, published, whatever is killed between; and what is refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sample_decisions
import typer
import yaml
from decision_rows import DOCUMENT
from policy_revisions import changed
from scenario_runs import request_for, runner_over, sealed
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.agents.policy_revision import Chain
from assay.app.cli.policy import main
from assay.app.lane.assembly import partition_counts, plans_of
from assay.app.oracle.sealed_world import SealedWorld, find_world
from assay.app.run.directory import Run, RunConfig
from assay.app.run.policy_revisions import PolicyRevision, keep, kept, rules_of
from assay.app.runner.activation import LEASE_US, activate
from assay.app.runner.activation_request import Asked
from assay.app.runner.answers import Activation
from assay.app.runner.documents import FACTS_VIEW
from assay.app.runner.policy_changes import changes_of
from assay.app.runner.record import Record
from assay.app.runner.runner import Runner
from assay.app.stores.objects import DirectoryStore
from assay.contracts import instants
from assay.contracts.canonical import document_digest
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

FEATURES = sample_decisions.FEATURES
STRICT, LOOSE = changed(DOCUMENT, "8", lower=25, points=5), changed(DOCUMENT, "9", points=-15)
HOUR_US = 3_600_000_000


@cache
def begun(ordering: str, *, ready: bool) -> tuple[Mapping[str, bytes], str]:
    """The files of a run of a small world, READY or not, and the fingerprint of the world."""
    with tempfile.TemporaryDirectory() as room:
        world = small_world(Path(room))
        if ready:
            config = config_over(world, ordering)
            runner_over(config, sealed(world), KeptRecords(), NOW_US).submit(request_for(config))
        files = {path.relative_to(room).as_posix(): path.read_bytes() for path in Path(room).rglob("*") if path.is_file()}
        return files, world.manifest.manifest_fingerprint


def config_over(world: SealedWorld, ordering: str) -> RunConfig:
    return config_of(world.manifest, policy=DOCUMENT, ordering=ordering)


class Scene:
    """A run of a small world that may be READY, and a bus that keeps what is published."""

    def __init__(self, folder: Path, *, ready: bool = True, ordering: str = "event_time") -> None:
        files, fingerprint = begun(ordering, ready=ready)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        found = find_world(DirectoryStore(folder / "store"), fingerprint)
        assert found is not None
        self.world = found
        self.config = config_over(found, ordering)
        self.bus = KeptRecords()

    def at(self, seconds: int) -> Runner:
        return runner_over(self.config, sealed(self.world), self.bus, NOW_US + seconds * 1_000_000)

    def activate(self, rules: dict[str, Any], seconds: int = 1, *, dry_run: bool = False, **asked: Any) -> Activation:
        wanted = Asked(**{"features": FEATURES, "rules": rules, "actor": "ann", "reason": "attack", **asked})
        return activate(self.at(seconds), wanted, dry_run=dry_run)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [record for _, name, record in self.bus.read() if name == "policy_revision"]

    @property
    def notes(self) -> list[dict[str, Any]]:
        events = Record(self.world.store, self.config.scenario_run_id).read_on().events
        return [event for event in events if event["event_kind"] in ("GOV_POLICY_REV", "POLICY_REV_PUBLISHED")]

    def folded(self) -> Chain:
        """What a lane that reads the bus makes of it."""
        plans = plans_of(self.config, partition_counts(1))
        chain = Chain.of(plans)
        for record in self.sent:
            plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in record.items()}
            chain = chain.after(plain, plans.features)
        return chain


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_change_is_noted_with_old_and_new_and_a_lane_takes_it(scene: Scene) -> None:
    answer = scene.activate(STRICT)
    assert (answer.policy_seq, answer.before["revision"], answer.after["revision"]) == (1, "7", "8")
    noted = scene.notes[-2]["details"]
    assert (noted["old"], noted["new"], noted["actor"]) == (answer.before, answer.after, "ann")
    assert [event["event_kind"] for event in scene.notes[-2:]] == ["GOV_POLICY_REV", "POLICY_REV_PUBLISHED"]
    [record] = scene.sent
    assert answer.published == (record["event_id"],)
    assert record["ts_utc"] == scene.world.manifest.min_ts_us
    scene.activate(LOOSE)
    assert scene.folded().digests == tuple(document_digest(one) for one in (DOCUMENT, STRICT, LOOSE))
    assert scene.sent[1]["ts_utc"] > record["ts_utc"], "of two that count at once the second comes second"


def test_the_same_policy_twice_is_said_and_nothing_is_sent(scene: Scene) -> None:
    for rules, count in ((DOCUMENT, 0), (STRICT, 1), (STRICT, 1)):
        answer = scene.activate(rules)
        assert len(scene.sent) == count
    assert answer.message == "in force already, nothing was sent"
    assert (answer.published, answer.changes) == ((), ())


def test_a_dry_run_says_what_would_change_and_writes_nothing(scene: Scene) -> None:
    notes = scene.notes
    rules = {**STRICT, "rules": [*STRICT["rules"][:2], {"code": "NEW", "points": 1, "when": [{"feature": "count_1d", "ge": 1}]}]}
    rules["rules"][1] = {**rules["rules"][1], "when": [{"feature": "count_1d", "ge": 9}]}
    answer = scene.activate(rules, dry_run=True)
    assert answer.changes == (
        "threshold STEP_UP 30 -> 5", "threshold QUEUE_REVIEW 60 -> 35", "threshold DECLINE 90 -> 65", "rule NIGHT is left out, +20 points",
        "rule MANY points 30 -> 35", "rule LARGE points 40 -> 45", "rule LARGE has other conditions", "rule NEW is new, +1 points",
    )  # fmt: skip
    assert (scene.notes, scene.sent, kept(scene.world.store)) == (notes, [], [])
    assert scene.activate(DOCUMENT, dry_run=True).message == "in force already, nothing would be sent"
    assert changes_of(DOCUMENT, {**DOCUMENT, "fallback": {"outcome": "DECLINE"}}) == ("fallback STEP_UP -> DECLINE",)
    assert changes_of(DOCUMENT, {**DOCUMENT, "rules": DOCUMENT["rules"][::-1]}) == ("rules stand in another order, and so do reasons",)


@pytest.mark.parametrize("died", ["before it is noted", "before it is sent", "before it is noted as sent"])
def test_who_is_killed_on_the_way_is_followed_by_who_asks_next(scene: Scene, died: str) -> None:
    """Also by somebody who asks for another policy: what was kept comes first."""
    if died == "before it is noted":
        made = activated(scene)
        keep(scene.world.store, made)
    elif died == "before it is sent":
        scene.bus.away = True
        with pytest.raises(Stop):
            scene.activate(STRICT)
        scene.bus.away = False
    else:
        scene.activate(STRICT)
        run_id = scene.config.scenario_run_id
        number = len(Record(scene.world.store, run_id).read_on().events) - 1
        sealed(scene.world).remove(f"sr/run_record/{run_id}/{number:06d}.json")
    assert scene.activate(STRICT, 2, dry_run=True).message == "kept before, would be published"
    answer = scene.activate(LOOSE, 3)
    assert len(answer.published) == 2
    assert scene.folded().digests == tuple(document_digest(one) for one in (DOCUMENT, STRICT, LOOSE))
    again = [event["details"]["policy_seq"] for event in scene.notes if event["event_kind"] == "POLICY_REV_PUBLISHED"]
    assert again == [1, 2]
    assert scene.activate(LOOSE, 4).published == ()


def activated(scene: Scene) -> PolicyRevision:
    """The revision that another process would keep."""
    other = Scene(sealed(scene.world).root / "other")
    other.activate(STRICT)
    return kept(other.world.store)[0]


def test_under_arrival_a_change_has_the_time_of_its_activation(tmp_path: Path) -> None:
    scene = Scene(tmp_path, ordering="arrival")
    scene.activate(STRICT, 5)
    scene.activate(LOOSE, 5)
    assert [record["ts_utc"] for record in scene.sent] == [NOW_US + 5_000_000, NOW_US + 5_000_001]


def test_a_change_may_count_from_an_event_time_on_that_is_not_before_the_one_it_follows(scene: Scene) -> None:
    first = scene.world.manifest.min_ts_us
    scene.activate(STRICT, from_us=first + HOUR_US)
    assert scene.sent[0]["ts_utc"] == first + HOUR_US
    with pytest.raises(AssayError) as refused:
        scene.activate(LOOSE, from_us=first + HOUR_US)
    assert refused.value.reason is Reason.POLICY_REVISION_REFUSED
    assert instants.text(first + HOUR_US) in refused.value.what


def not_ready(folder: Path) -> Activation:
    return Scene(folder, ready=False).activate(STRICT)


def failed(folder: Path) -> Activation:
    scene = Scene(folder, ready=False)
    part = scene.world.manifest.stream_view[0]
    scene.world.store.replace(f"{scene.world.root}/{part.key}", b"something else")
    scene.at(0).submit(request_for(scene.config))
    return scene.activate(STRICT)


def other_features(folder: Path) -> Activation:
    return Scene(folder).activate(STRICT, features={**FEATURES, "revision": "other", "entities": ["x"]})


def not_to_compile(folder: Path) -> Activation:
    return Scene(folder).activate({**STRICT, "rules": [{"code": "A", "points": 1, "when": [{"feature": "x", "ge": 1}]}]})


def same_name(folder: Path) -> Activation:
    return Scene(folder).activate(changed(DOCUMENT, "7", lower=1))


def too_large(folder: Path) -> Activation:
    return Scene(folder).activate({**STRICT, "policy_id": "x" * 1_045_000})


def held(folder: Path) -> Activation:
    scene = Scene(folder)
    runner = scene.at(1)
    assert runner.authority.acquire(f"policy:{scene.config.scenario_run_id}", "somebody", LEASE_US, runner.clock())
    return scene.activate(STRICT)


def number_taken(folder: Path) -> Activation:
    """Another process keeps its revision where no lease could stop it."""
    scene = Scene(folder)
    scene.activate(STRICT)
    one = kept(scene.world.store)[0]
    keep(scene.world.store, one)
    keep(scene.world.store, one._replace(actor="bob"))
    raise AssertionError("it was overwritten")


def without_facts(folder: Path) -> Activation:
    scene = Scene(folder)
    sealed(scene.world).remove(FACTS_VIEW.key(scene.config.scenario_run_id))
    return scene.activate(STRICT)


def damaged(folder: Path) -> Activation:
    scene = Scene(folder)
    scene.activate(STRICT)
    one = kept(scene.world.store)[0]
    scene.world.store.replace(one.key, json.dumps({**one._asdict(), "content_digest": "0" * 64}).encode())
    return scene.activate(LOOSE)


REFUSALS: list[tuple[Callable[[Path], Activation], Reason, str]] = [
    (not_ready, Reason.RUN_NOT_READY, "the run is not READY"),
    (failed, Reason.RUN_NOT_READY, "the run is QUARANTINED"),
    (other_features, Reason.POLICY_CHANGED_MID_RUN, "began with: entities, revision"),
    (not_to_compile, Reason.RULES_DOCUMENT_INVALID, "names 'x'"),
    (same_name, Reason.POLICY_REVISION_REFUSED, "sample_rules revision 7 is in force with another content"),
    (too_large, Reason.POLICY_REVISION_REFUSED, "more than a record of FP_BUS_CONTROL_V1 holds"),
    (held, Reason.POLICY_ACTIVATION_BUSY, "another process changes the policy"),
    (number_taken, Reason.POLICY_ACTIVATION_BUSY, "another process changes the policy"),
    (without_facts, Reason.FACTS_VIEW_MISSING, "the facts view of the run is missing"),
    (damaged, Reason.RUN_RECORD_DAMAGED, "cannot be read"),
]


@pytest.mark.parametrize(("ask", "reason", "words"), REFUSALS, ids=[ask.__name__ for ask, _, _ in REFUSALS])
def test_a_change_that_cannot_be_is_refused(tmp_path: Path, ask: Callable[[Path], Activation], reason: Reason, words: str) -> None:
    with pytest.raises(AssayError) as refused:
        ask(tmp_path)
    assert refused.value.reason is reason
    assert words in refused.value.what


def test_rules_are_found_by_the_digest_in_a_decision(scene: Scene) -> None:
    scene.activate(STRICT)
    store = scene.world.store
    assert rules_of(store, scene.config, document_digest(STRICT)) == STRICT
    assert rules_of(store, scene.config, document_digest(DOCUMENT)) == DOCUMENT
    assert rules_of(store, scene.config, bytes(32)) == DOCUMENT, "of a store that does not have them"


def test_the_command_says_what_would_change_without_a_bus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path)
    Run(directory=tmp_path, config=scene.config, bootstrap="127.0.0.1:1", dsn=f"sqlite:///{tmp_path}/authority.db").save()
    policy = tmp_path / "strict"
    policy.mkdir()
    (policy / "features.yaml").write_text(yaml.safe_dump(FEATURES))
    (policy / "rules.yaml").write_text(yaml.safe_dump({**STRICT, "revision": "8\x1b[31m"}))
    call = ["activate", str(policy), "--run", str(tmp_path), "--reason", "attack", "--dry-run"]
    assert main(call) == 0
    told = capsys.readouterr().out
    first, *lines = told.splitlines()
    assert first == "sample_rules revision 8\\u001b[31m, number 1 of the run: would be published"
    assert lines[:2] == ["  follows sample_rules revision 7", "  threshold STEP_UP 30 -> 5"]
    assert main([*call, "--json", "--from", instants.text(scene.world.manifest.min_ts_us)]) == 0
    assert json.loads(capsys.readouterr().out)["before"]["content_digest"] == document_digest(DOCUMENT).hex()
    for wrong in ("yesterday", "2030-01-01"):
        with pytest.raises(typer.BadParameter, match="--from"):
            main([*call, "--from", wrong])
