"""`assay sr` on a run without a bus: what it shows, says again, sets aside and rebuilds. READY on a bus is in tests/kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.examples import examples
from scenario_runs import runner_over, sealed, sqlite_authority
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.app.cli import main
from assay.app.cli.sr import main as sr_main
from assay.app.cli.sr_ops import PUBLISHED_WITHIN_MS
from assay.app.run.directory import Run, RunConfig
from assay.app.runner.answers import RunAnswer
from assay.app.runner.documents import status_ref
from assay.app.runner.hold import TTL_US
from assay.app.runner.record import Record
from assay.app.runner.request import read_request, request_of_run
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.ids import scenario_run_id
from assay.contracts.reasons import Reason

OVERRIDE = next(one.value for one in examples("sr_reemit_request") if one.name == "to_another_run")["cross_run_override"]


class Scene:
    """The directory of a run, its database beside it, and the world that it is of."""

    def __init__(self, folder: Path) -> None:
        self.world = small_world(folder / "world")
        self.folder, self.config = folder, self.configuration()
        self.run = self.directory("run", self.config)
        self.bus = KeptRecords()

    def configuration(self, **changes: Any) -> RunConfig:
        config = config_of(self.world.manifest, **changes)
        return config.model_copy(update={"scenario_run_id": scenario_run_id(f"{config.platform_run_id}|{config.manifest_fingerprint}")})

    def directory(self, name: str, config: RunConfig, *, world: bool = True) -> Run:
        made = Run(directory=self.folder / name, config=config, bootstrap="127.0.0.1:1", dsn=self.database)
        made.save()
        for key in sealed(self.world).keys("oracle") if world else ():
            made.store.create(key, self.world.store.read(key))
        return made

    @property
    def database(self) -> str:
        sqlite_authority(self.folder / "authority.db")
        return f"sqlite:///{self.folder}/authority.db"

    def ready(self) -> RunAnswer:
        """Bring the run to READY on a bus of its own."""
        return self.ended(self.run)

    def ended(self, run: Run, superseded: Run | None = None, **known: str) -> RunAnswer:
        """Bring a run to its end on a bus of its own: a command finds it so and needs none."""
        authority = sqlite_authority(self.folder / "authority.db")
        runner = runner_over(run.config, run.store, self.bus, NOW_US, authority=authority)
        asked = read_request({**request_of_run(run.config), **known})
        return runner.submit(asked, superseded=superseded.store if superseded else None)

    def damage(self) -> None:
        """A part of the run's world has other bytes."""
        key = f"{self.world.root}/{self.world.manifest.stream_view[0].key}"
        self.run.store.replace(key, b"something else")

    def record(self) -> list[str]:
        return [event["event_kind"] for event in Record(self.run.store, self.config.scenario_run_id).read_on().events]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def called(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["sr", *map(str, arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code, *capsys.readouterr()


def refused(*arguments: str | Path) -> AssayError:
    """What the command raises before it becomes a message and an exit code."""
    with pytest.raises(AssayError) as told:
        sr_main([*map(str, arguments)])
    return told.value


def test_show_tells_how_a_run_stands_in_words_and_as_json(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    answer = scene.ready()
    code, out, _ = called(capsys, "show", "--run", scene.run.directory, "--json")
    assert (code, json.loads(out)) == (0, answer.as_json())
    for option in ((), ("--run-id", answer.run_id)):
        code, out, _ = called(capsys, "show", "--run", scene.run.directory, *option)
        assert code == 0
        assert out.split()[:4] == ["run_id", answer.run_id, "state", "READY"]
        assert answer.message_id in out
    told = refused("show", "--run", scene.run.directory, "--run-id", "9" * 32)
    assert told.reason is Reason.RUN_MISSING


def test_a_run_that_is_ready_is_answered_without_a_bus(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    answer = scene.ready()
    code, out, _ = called(capsys, "submit", "--run", scene.run.directory, "--json")
    assert (code, json.loads(out)) == (0, answer.as_json())


@pytest.mark.parametrize("document", ["request", "run"])
def test_a_run_that_ends_without_ready_is_told_by_its_reason(scene: Scene, document: str) -> None:
    """A request in a file is the one that is asked for, and not that of the directory."""
    scene.damage()
    scene.ended(scene.run)
    asked: dict[str, Any] = request_of_run(scene.config)
    file = scene.folder / "asked.json"
    file.write_text(json.dumps({**asked, "invoker": "somebody"}))
    told = refused("submit", "--run", scene.run.directory, *(("--request", file) if document == "request" else ()))
    assert isinstance(told, Stop)
    assert (told.reason, "QUARANTINED" in told.what) == (Reason.EVIDENCE_CONFLICT, True)
    file.write_text(json.dumps({**asked, "run_equivalence_key": "another"}))
    assert refused("submit", "--run", scene.run.directory, "--request", file).reason is Reason.RUN_SCOPE_MISMATCH


@pytest.mark.parametrize(("text", "reason"), [("{", Reason.SCHEMA_FAIL), ("{}", Reason.SCHEMA_FAIL), (None, Reason.INPUT_FILE_MISSING)])
def test_a_file_that_is_no_request_is_refused(scene: Scene, text: str | None, reason: Reason) -> None:
    file = scene.folder / "asked.json"
    if text is not None:
        file.write_text(text)
    assert refused("submit", "--run", scene.run.directory, "--request", file).reason is reason
    assert scene.record() == []


def test_a_run_that_does_not_wait_says_that_evidence_is_missing(scene: Scene) -> None:
    bare = scene.directory("bare", scene.config, world=False)
    file = scene.folder / "asked.json"
    file.write_text(json.dumps({**request_of_run(scene.config), "output_ids": ["payments"]}))
    told = refused("submit", "--run", bare.directory, "--request", file, "--no-wait")
    assert isinstance(told, Retry)
    assert told.reason is Reason.EVIDENCE_WAITING


def test_the_database_that_is_given_decides_and_not_that_of_the_run(scene: Scene, tmp_path: Path) -> None:
    told = refused("submit", "--run", scene.run.directory, "--authority", f"sqlite:///{tmp_path}/empty.db")
    assert told.reason is Reason.DATABASE_NOT_MIGRATED


def test_a_run_that_was_set_aside_is_listed_and_shown_with_its_contradiction(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    folder = scene.run.directory
    assert called(capsys, "quarantine", "list", "--run", folder)[1] == "no run was set aside\n"
    assert refused("quarantine", "show", "--run", folder).reason is Reason.RUN_MISSING
    scene.damage()
    scene.ended(scene.run)
    (listed,) = called(capsys, "quarantine", "list", "--run", folder)[1].splitlines()
    assert listed.split()[:2] == [scene.config.scenario_run_id, "EVIDENCE_CONFLICT"]
    (notice,) = json.loads(called(capsys, "quarantine", "list", "--run", folder, "--json")[1])
    assert json.loads(called(capsys, "quarantine", "show", "--run", folder, "--json")[1]) == notice
    shown = called(capsys, "quarantine", "show", "--run", folder)[1]
    assert notice["why"] in shown and "missing" in shown


def test_an_index_that_was_lost_is_written_again(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    answer = scene.ready()
    store = scene.run.store
    assert isinstance(store, DirectoryStore)
    store.remove(status_ref(answer.run_id))
    (scene.folder / "authority.db").unlink()
    code, out, _ = called(capsys, "rebuild-index", "--run", scene.run.directory, "--authority", scene.database)
    assert (code, out) == (0, "1 runs, 1 statuses written\n")
    code, out, _ = called(capsys, "rebuild-index", "--run", scene.run.directory, "--json")
    assert json.loads(out) == {"runs": 1, "statuses_written": 0}
    (row,) = sqlite_authority(scene.folder / "authority.db").rows()
    assert row.run_id == answer.run_id


def test_what_would_be_said_again_is_named_and_noted_with_who_asks(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    answer = scene.ready()
    asked = ("reemit", "--run", scene.run.directory, "--reason", "why not", "--requested-by", "me", "--dry-run")
    code, out, _ = called(capsys, *asked)
    assert (code, out) == (0, f"READY: would say {answer.message_id}\n")
    code, out, _ = called(capsys, *asked, "--json", "--kind", "READY_ONLY")
    assert json.loads(out)["published"] == []
    notes = [event for event in Record(scene.run.store, answer.run_id).read_on().events if event["event_kind"] == "REEMIT_REQUESTED"]
    assert [(note["details"]["requested_by"], note["details"]["reason"]) for note in notes] == [("me", "why not")] * 2
    assert refused(*asked, "--kind", "TERMINAL_ONLY").reason is Reason.REEMIT_TERMINAL_ONLY_MISMATCH
    assert refused(*asked, "--run-id", "9" * 32).reason is Reason.RUN_MISSING
    assert refused(*asked, "--emit-platform-run-id", "platform_20270101T000000Z").reason is Reason.CROSS_RUN_OVERRIDE_REQUIRED
    file = scene.folder / "override.json"
    file.write_text(json.dumps(OVERRIDE))
    code, out, _ = called(capsys, *asked, "--emit-platform-run-id", "platform_20270101T000000Z", "--override", file)
    assert (code, out != f"READY: would say {answer.message_id}\n") == (0, True), "for another platform run it is another message"


def test_both_runs_are_told_when_one_supersedes_another(scene: Scene) -> None:
    scene.ready()
    newer = scene.directory("newer", scene.configuration(platform_run_id="platform_20270101T000000Z"), world=False)
    known = {"supersedes_run_id": scene.config.scenario_run_id, "supersession_purpose": "a better policy"}
    scene.ended(newer, scene.run, **known)
    told = refused("supersede", "--run", newer.directory, "--old", scene.run.directory, "--purpose", "a better policy")
    assert told.reason is Reason.PACK_NOT_FOUND, "its own world is not there"
    assert scene.record()[-1] == "SUPERSEDED_BY"
    record = Record(newer.store, newer.config.scenario_run_id).read_on()
    noted = record.find("SUPERSEDES")
    assert noted is not None
    assert noted["details"] == known
    again = refused("supersede", "--run", newer.directory, "--old", scene.run.directory, "--purpose", "p", "--old-run-id", "9" * 32)
    assert again.reason is Reason.RUN_MISSING


def test_a_publication_is_given_up_before_the_lease_under_which_it_began_is_over() -> None:
    """A lease is renewed when a third of its time is over; the publisher takes some seconds more than it is given."""
    assert (PUBLISHED_WITHIN_MS + 10_000) * 1_000 < TTL_US - TTL_US // 3
