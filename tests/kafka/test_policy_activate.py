"""The rules of a live run are changed while it goes on, by the command that people call; a kill later everything is proven."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import yaml
from assay_command import assay
from live_up import Up
from policy_revisions import changed
from records import CONTROL

from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topic_reader import read_records
from assay.app.policy.documents import document
from assay.app.run.directory import Run
from assay.codecs.single_object import pack, unpack
from assay.contracts.handles import QUARANTINE
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(600)]
STRICT = changed(document("handbook", "rules"), "strict", lower=29)


def policy_folder(folder: Path, revision: str, /, **features: object) -> Path:
    made = folder / revision
    made.mkdir()
    (made / "features.yaml").write_text(yaml.safe_dump({**document("handbook", "features"), **features}))
    (made / "rules.yaml").write_text(yaml.safe_dump({**STRICT, "revision": revision}))
    return made


def in_force(up: Up, number: list[int]) -> str:
    """Post another payment; the revision that decides it."""
    number[0] += 1
    assert up.post(f"pay-{number[0]}") == "ADMIT"
    return str(up.decided(f"pay-{number[0]}")["policy"]["revision"])


def say_again(up: Up) -> Run:
    """Publish the run's revision once more, and one that follows none."""
    run = Run.load(up.directory)
    values = [one.value or b"" for one in read_records(run.bootstrap, CONTROL, run.namespace)]
    [record] = [value for value in values if unpack(value)[0] == "policy_revision"]
    damaged = {**unpack(record)[1], "policy_seq": 7}
    lot = [OutboundRecord(b"k", record, 0), OutboundRecord(b"k", pack("policy_revision", damaged), 0)]
    KafkaPublisher(run.bootstrap, run.namespace).publish(CONTROL, lot)
    return run


def test_rules_change_while_payments_are_posted_and_everything_is_proven(up: Up, tmp_path: Path) -> None:
    up.start()
    number, at = [0], ("--run", up.directory, "--reason", "attack")
    assert in_force(up, number) == "1"
    strict = policy_folder(tmp_path, "strict")
    told = assay("policy", "activate", strict, *at, "--dry-run")
    assert (told.code, "threshold STEP_UP" in told.out, "would be published" in told.out) == (0, True, True), told.text
    other = assay("policy", "activate", policy_folder(tmp_path, "other", revision="x"), *at)
    assert (other.code, "POLICY_CHANGED_MID_RUN" in other.err, "began with: revision" in other.err) == (70, True, True), other.text
    wrong = assay("policy", "activate", strict, *at, "--from", "2026-01-01T00:00:00.000000Z")
    assert (wrong.code, "event time" in wrong.text) == (2, True), wrong.text
    told = assay("policy", "activate", strict, *at, "--json", "--requested-by", "ann")
    assert (told.code, json.loads(told.out)["policy_seq"]) == (0, 1), told.text
    until(lambda: in_force(up, number) == "strict", 60)
    again = assay("policy", "activate", strict, *at)
    assert (again.code, "in force already, nothing was sent" in again.out) == (0, True), again.text

    run = say_again(up)
    up.end(signal.SIGKILL)
    up.start()
    assert in_force(up, number) == "strict"
    letters = [unpack(one.value or b"")[1] for one in read_records(run.bootstrap, QUARANTINE, run.namespace)]
    found = {(letter["topic"], letter["offset"], letter["reason"]) for letter in letters}
    assert found == {(CONTROL, 3, "POLICY_REVISION_REFUSED")}, "READY, the revision, the same again, and one that follows nothing"
    shown = assay("decision", "show", f"pay-{number[0]}", "--run", up.directory)
    assert (shown.code, f"STEP_UP from {STRICT['thresholds']['STEP_UP']}" in shown.out) == (0, True), shown.text
    first = assay("decision", "show", "pay-1", "--run", up.directory)
    assert f"STEP_UP from {document('handbook', 'rules')['thresholds']['STEP_UP']}" in first.out, first.text
    assert up.end() == 0, up.text()
    summary = up.summary()
    assert summary.decisions == number[0]
    assert {proven for _, proven, _ in summary.verdicts} == {True}
    assert "handbook_rules rstrict" in str(summary.identity)
    for command in (("audit", "verify"), ("replay", "--verify"), ("journal", "verify")):
        ended = assay(*command, "--run", up.directory)
        assert ended.code == 0, ended.text
