"""Runs that keep their objects in a bucket: listed, looked into from other folders, and removed with their own objects only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from assay_command import assay
from gate_events import event
from proven_runs import evidence
from shown_runs import gate_wrote, shown_run

from assay.app.gate.spool import OPEN
from assay.app.report.evidence import RunEvidence
from assay.app.run.directory import Run
from assay.app.stores.places import store_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@pytest.fixture
def run(s3: str, tmp_path: Path) -> Run:
    """A run with a world and a decision in a bucket. Its servers are its own."""
    made = shown_run(tmp_path / "runs" / "one")
    for server in ("kafka", "postgres"):
        (made.directory / "servers" / server).mkdir(parents=True)
    found = made.model_copy(update={"store_root": f"s3://{s3}/bank/runs"})
    for key in made.store.keys(""):
        found.store.create(key, made.store.read(key))
        made.store.remove(key)
    found.save()
    return found


def elsewhere(run: Run, tmp_path: Path) -> Path:
    """A folder of another machine: it has a copy of `run.json` and nothing else."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "run.json").write_bytes((run.directory / "run.json").read_bytes())
    return folder


def test_a_run_in_a_bucket_is_listed_with_its_size(run: Run) -> None:
    def listed() -> tuple[str, int, int]:
        ended = assay("runs", "list", "--in", run.directory.parent, "--json")
        (one,) = json.loads(ended.out)
        return one["state"], one["audited"], one["size_bytes"]

    before = listed()
    run.store.create("more", b"x" * 1_000)
    assert before[:2] == ("begun", 1)
    assert listed() == ("begun", 1, before[2] + 1_000)
    evidence(run.store)
    assert listed()[0] == "finished"


def test_a_run_is_removed_with_its_objects_and_no_others(run: Run, s3: str) -> None:
    bank = store_of(f"s3://{s3}/bank")
    others = [f"runs/{run.platform_run_id}2/a", "runs/another/a", "worlds/a"]
    for key in others:
        bank.create(key, b"theirs")
    ended = assay("runs", "remove", run.directory, "--yes")
    assert (ended.code, f"its objects in {run.place}" in ended.out) == (0, True), ended.text
    assert sorted(bank.keys("")) == sorted(others)
    assert not run.directory.exists()


def test_a_local_removal_leaves_the_objects(run: Run) -> None:
    ended = assay("runs", "remove", run.directory, "--yes", "--local")
    assert (ended.code, run.directory.exists()) == (0, False), ended.text
    assert list(run.store.keys("audit")) != []


def test_a_run_whose_bucket_is_away_stays(run: Run) -> None:
    ended = assay("runs", "remove", run.directory, "--yes", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert (ended.code, "STORE_SILENT" in ended.err) == (75, True), ended.text
    assert run.directory.exists()


def test_a_decision_its_receipt_and_a_refusal_are_shown_from_another_folder(run: Run, tmp_path: Path) -> None:
    gate_wrote(run, ["e-1"], [event("e-2", ts_utc="2999-01-01T00:00:00.000000Z")])
    folder = elsewhere(run, tmp_path)
    for command, told in (
        (("decision", "show", "p1"), "STEP_UP"),
        (("receipt", "show", "e-1"), "ADMIT"),
        (("quarantine", "show", "e-2"), "TIME_IN_FUTURE"),
        (("quarantine", "list"), "TIME_IN_FUTURE 1"),
        (("audit", "verify", "--json"), '"records": 1'),
    ):
        ended = assay(*command, "--run", folder)
        assert told in ended.out, ended.text
        assert "may be more" not in ended.text
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_who_looks_from_another_folder_is_told_that_there_may_be_more(run: Run, tmp_path: Path) -> None:
    gate_wrote(run, ["e-1"], [event("e-2", ts_utc="2999-01-01T00:00:00.000000Z")], sealed=False)
    run.store.create(f"{OPEN}/gate.json", b"{}")
    folder = elsewhere(run, tmp_path)
    for command in (("receipt", "show", "e-1"), ("quarantine", "show", "e-2"), ("quarantine", "list")):
        ended = assay(*command, "--run", folder)
        assert "the gate runs on another machine" in ended.text
        ended = assay(*command, "--run", run.directory)
        assert (ended.code, "another machine" in ended.text) == (0, False), ended.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run, bucket: run.model_copy(update={"store_root": "s3://X/y"}), Reason.FILE_REFUSED),
        (lambda run, bucket: run.model_copy(update={"store_root": f"s3://{bucket}-none/y"}), Reason.FILE_REFUSED),
    ],
)
def test_a_bucket_that_is_none_is_refused(run: Run, s3: str, change: Callable[[Run, str], Run], reason: Reason) -> None:
    with pytest.raises(Stop) as refused:
        RunEvidence.read(change(run, s3).store)
    assert refused.value.reason is reason


def test_a_bucket_is_described_as_the_server_that_it_is(run: Run, s3_variables: dict[str, str]) -> None:
    claim, name = run.store.described()
    assert claim == "parity"
    assert name.startswith(f"S3 at {s3_variables['AWS_ENDPOINT_URL'].removeprefix('http://')} (")
    assert s3_variables["AWS_SECRET_ACCESS_KEY"] not in name
