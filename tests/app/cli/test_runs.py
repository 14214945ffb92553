"""`assay runs`: what is listed, what is removed, and what is not. Topics and rows of real servers are in tests/kafka and tests/postgres."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from proven_runs import evidence
from shown_runs import gate_wrote, shown_run

from assay.app.cli import main
from assay.app.housekeeping.listing import Process, user_of
from assay.app.housekeeping.removal import planned
from assay.app.stores.file_lock import held, holder_of
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

ID = "platform_20260101T000000Z"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs in every state, and what is no run."""
    root = tmp_path / "runs"
    evidence(shown_run(root / "finished").store)
    shown_run(root / "begun")
    (root / ID).mkdir()
    (root / "broken").mkdir()
    (root / "broken" / "run.json").write_text('{"layout": 1}')
    (root / "mine").mkdir()
    (root / "mine" / "notes.txt").write_text("no run")
    for name in ("finished", "begun"):  # their servers are their own
        for server in ("kafka", "postgres"):
            (root / name / "servers" / server).mkdir(parents=True)
    return root


def called(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["runs", *(str(argument) for argument in arguments)])
    assert isinstance(end.value.code, int)
    return end.value.code, *capsys.readouterr()


def test_list_names_every_run_with_its_state(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(capsys, "list", "--in", root, "--json")
    assert (code, err) == (0, "")
    told = [(Path(one["directory"]).name, one["state"], one["audited"], one["policy"]) for one in json.loads(out)]
    assert told == [
        ("begun", "begun", 1, "p r1"),
        ("broken", "unreadable", 0, ""),
        ("finished", "finished", 1, "p r1"),
        (ID, "empty", 0, ""),
    ]


def test_list_is_a_table_that_fits(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("COLUMNS", "80")
    lines = called(capsys, "list", "--in", "runs")[1].splitlines()
    assert lines[0].split() == ["run", "state", "decided", "MB", "policy"]
    assert lines[1].split() == ["runs/begun", "begun", "1", "0", "p", "r1"]
    assert lines[-1].startswith("runs/broken: unreadable, LAYOUT_UNSUPPORTED: ")
    assert max(map(len, lines[:5])) <= 80
    assert called(capsys, "list", "--in", "none")[1] == "there is no run in none\n"


@pytest.mark.parametrize("name", ["finished", "begun", ID])
def test_a_run_is_removed_with_its_directory(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = called(capsys, "remove", root / name, "--yes")
    assert (code, out) == (0, f"removed {root / name}\n")
    assert not (root / name).exists()
    assert len(list(root.iterdir())) == 4


def test_a_run_that_cannot_be_read_goes_with_local_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "remove", root / "broken", "--yes")[0] == 70
    assert called(capsys, "remove", root / "broken", "--yes", "--local")[0] == 0
    assert not (root / "broken").exists()


@pytest.mark.parametrize("name", ["mine", "none", "mine/notes.txt", ".."])
def test_what_is_no_run_is_never_removed(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a run that stands before it in the same call."""
    code, _, err = called(capsys, "remove", root / "begun", root / name, "--yes")
    assert code == 66
    assert "RUN_MISSING" in err
    assert (root / "begun").exists() and (root / "mine" / "notes.txt").exists()


def test_nobody_is_asked_where_nobody_answers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(capsys, "remove", root / "begun")
    assert code == 2
    assert "--yes" in err
    assert (root / "begun").exists()


def test_a_run_that_a_command_holds_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(root / "begun", "assay up"):
        code, _, err = called(capsys, "remove", root / "begun", "--yes", "--local")
        assert (code, "DIRECTORY_BUSY: this run is in use: `assay up`, process" in err) == (75, True)
        (running,) = (one for one in json.loads(called(capsys, "list", "--in", root, "--json")[1]) if one["state"] == "running")
        assert Path(running["directory"]) == root / "begun"
    assert holder_of(root / "begun") == ""
    assert (root / "begun").exists()


def test_a_run_that_a_process_names_is_refused(root: Path) -> None:
    """A gate or a worker that somebody started by hand holds no lock. Its argument list is there once it says a word, not at fork."""
    waiting = [sys.executable, "-c", "print(flush=True); input()", "--run", str(root / "begun")]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        with pytest.raises(Stop) as refused:
            planned(root / "begun")
        process.stdin.close()
        process.wait(20)
    assert refused.value.reason is Reason.DIRECTORY_BUSY
    assert f"process {process.pid}" in refused.value.what


@pytest.mark.parametrize(
    ("argv", "used"),
    [
        (("assay", "gate", "serve", "--run", "begun"), True),
        (("assay", "gate", "serve", "--run=begun"), True),
        (("assay", "gate", "serve", "--run", "finished"), False),
        (("assay", "gate", "serve", "begun"), False),
        (("assay", "gate", "serve", "--run"), False),
    ],
)
def test_a_process_uses_the_run_that_it_names(root: Path, argv: tuple[str, ...], used: bool) -> None:
    assert user_of(root / "begun", [Process(7, root, argv)]) == ("process 7" if used else "")


@pytest.mark.usefixtures("soon")
def test_on_servers_of_others_nothing_goes_while_they_do_not_answer(tmp_path: Path) -> None:
    run = shown_run(tmp_path / ID)
    gate_wrote(run, admitted=["pay-1"])
    run.model_copy(update={"namespace": f"{ID}."}).save()
    with pytest.raises(Retry) as refused:
        planned(run.directory)
    assert refused.value.reason is Reason.BROKER_UNREACHABLE
    assert (run.directory / "run.json").exists()


def test_topics_of_a_namespace_that_others_may_use_stay(tmp_path: Path) -> None:
    run = shown_run(tmp_path / ID)
    run.model_copy(update={"namespace": "shared."}).save()
    plan = planned(run.directory)
    assert plan.topics == ()
    assert "their namespace 'shared.' may be that of other runs" in "; ".join(plan.kept)
