"""The rules of a run are changed over HTTP, gRPC and by the command, with the same answers and the same refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import sample_decisions
import yaml
from decision_rows import DOCUMENT
from oracles.examples import examples
from policy_revisions import changed
from served_runs import ACCESS, ANN, Scene

from assay.app.cli.policy import main
from assay.app.metrics import RUNNER
from assay.app.run.frozen import freeze
from assay.app.runner.activation_request import read_asked, with_documents
from assay.app.runner.event_kinds import KINDS
from assay.app.runner.json_object import object_of
from assay.app.runner.record import Record
from assay.app.runner.request import read_request
from assay.app.runner.run_metrics import RunMetrics
from assay.app.runner.service import RunnerService
from assay.app.telemetry import Telemetry
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

STRICT = changed(DOCUMENT, "8", lower=25, points=5)
FEATURES = sample_decisions.FEATURES
LATER = "2026-01-02T01:00:00+01:00"
EXAMPLES = list(examples("sr_policy_activation"))


def begun(folder: Path, ordering: str = "event_time") -> Scene:
    """A run that is READY."""
    scene = Scene(folder, rules=DOCUMENT, ordering=ordering)
    assert scene.service.runner.submit(read_request(scene.document)).state == "READY"
    return scene


def posted(scene: Scene, body: dict[str, Any], headers: dict[str, str] = ANN, run_id: str = "") -> tuple[int, dict[str, Any]]:
    """The call over HTTP."""
    return scene.http("POST", f"/v1/runs/{run_id or scene.run_id}/policy", body, headers)


def over_grpc(scene: Scene, body: dict[str, Any], headers: dict[str, str] = ANN, run_id: str = "") -> tuple[Any, dict[str, Any]]:
    """The same over gRPC, which carries the documents as texts."""
    texts = {name: json.dumps(value) if name in ("rules", "features") else value for name, value in body.items()}
    return scene.grpc("ActivatePolicy", {**texts, "run_id": run_id or scene.run_id}, headers)


def test_a_change_has_one_answer_whoever_carries_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = begun(tmp_path)
    policy = tmp_path / "strict"
    policy.mkdir()
    (policy / "features.yaml").write_text(yaml.safe_dump(FEATURES))
    (policy / "rules.yaml").write_text(yaml.safe_dump(STRICT))
    asked = {"rules": STRICT, "reason": "attack", "from_utc": LATER, "dry_run": True}
    status, answer = posted(scene, asked)
    assert (status, answer["message"], answer["published"]) == (200, "would be published", [])
    assert "threshold DECLINE 90 -> 65" in answer["changes"]
    assert over_grpc(scene, {**asked, "features": FEATURES}) == (grpc.StatusCode.OK, {n: v for n, v in answer.items() if v != []})
    call = ["activate", str(policy), "--run", str(scene.run.directory), "--reason", "attack", "--from", LATER, "--dry-run", "--json"]
    assert main(call) == 0
    assert json.loads(capsys.readouterr().out) == answer
    done = posted(scene, {**asked, "dry_run": False})[1]
    (record,) = [record for _, name, record in scene.bus.read() if name == "policy_revision"]
    assert (done["published"], record["ts_utc"]) == ([record["event_id"]], 1_767_312_000_000_000)
    assert over_grpc(scene, {"rules": STRICT, "reason": "again"})[1]["message"] == "in force already, nothing was sent"


def test_who_asks_is_the_actor_of_the_call_and_only_without_one_the_document(tmp_path: Path) -> None:
    scene = begun(tmp_path)
    posted(scene, {"rules": STRICT, "reason": "attack", "requested_by": "bob"})
    scene.service = RunnerService(scene.service.runner, replace(ACCESS, actors=frozenset()))
    key = {"x-ig-api-key": "right"}
    posted(scene, {"rules": changed(STRICT, "9"), "reason": "attack", "requested_by": "bob"}, key)
    assert [record["actor"] for _, name, record in scene.bus.read() if name == "policy_revision"] == ["ann", "bob"]


NOBODY = "0" * 32
BAD, UNKNOWN, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
UNMET, MISSING = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND
GOOD: dict[str, Any] = {"rules": STRICT, "reason": "attack"}
#: body, headers, the run (empty: that of the runner), the status of both, and the reason
REFUSED: list[tuple[dict[str, Any], dict[str, str], str, tuple[int, grpc.StatusCode], Reason]] = [
    (GOOD, {}, "", (401, UNKNOWN), Reason.UNAUTHORISED),
    (GOOD, {"x-ig-api-key": "wrong"}, "", (401, UNKNOWN), Reason.UNAUTHORISED),
    (GOOD, {**ANN, "x-sr-actor": "rob"}, "", (403, DENIED), Reason.ACTOR_NOT_ALLOWED),
    (GOOD, ANN, NOBODY, (404, MISSING), Reason.RUN_MISSING),
    (GOOD, ANN, "latest", (404, MISSING), Reason.RUN_MISSING),
    ({"rules": STRICT}, ANN, "", (400, BAD), Reason.SCHEMA_FAIL),
    ({"reason": "attack"}, ANN, "", (400, BAD), Reason.SCHEMA_FAIL),
    ({**GOOD, "from_utc": "2026-02-30T00:00:00Z"}, ANN, "", (400, BAD), Reason.TIME_INVALID),
    ({**GOOD, "from_utc": "2000-01-01T00:00:00Z"}, ANN, "", (409, UNMET), Reason.POLICY_REVISION_REFUSED),
    ({**GOOD, "rules": changed(DOCUMENT, "7", lower=1)}, ANN, "", (409, UNMET), Reason.POLICY_REVISION_REFUSED),
    ({**GOOD, "rules": {**STRICT, "rules": []}}, ANN, "", (400, BAD), Reason.RULES_DOCUMENT_INVALID),
    ({**GOOD, "features": {**FEATURES, "revision": "other"}}, ANN, "", (409, UNMET), Reason.POLICY_CHANGED_MID_RUN),
]


def test_each_refusal_has_its_status_and_denials_are_recorded(tmp_path: Path) -> None:
    scene = begun(tmp_path)
    for body, headers, run_id, (status, code), reason in REFUSED:
        told, http = over_grpc(scene, body, headers, run_id), posted(scene, body, headers, run_id)
        assert (told[0], http[0], http[1]["error"]) == (code, status, reason.value), (body, headers, told, http)
        assert {"where": "", "remedy": "", **told[1]} == http[1]
    events = Record(scene.run.store, scene.run_id).read_on().events
    assert [event["details"] for event in events if event["event_kind"] == "AUTH_DENIED"] == [
        {"action": "activate", "reason_code": "UNAUTHORISED"},
        {"action": "activate", "reason_code": "ACTOR_NOT_ALLOWED", "actor": "rob"},
    ]
    assert not [name for _, name, _ in scene.bus.read() if name == "policy_revision"]


def test_a_time_to_count_from_is_for_runs_in_event_time(tmp_path: Path) -> None:
    status, refusal = posted(begun(tmp_path, "arrival"), {**GOOD, "from_utc": LATER})
    assert (status, refusal["error"]) == (409, "POLICY_REVISION_REFUSED")
    assert "decides payments as they arrive" in refusal["detail"]


def test_another_configuration_than_the_run_began_with_is_refused(tmp_path: Path) -> None:
    scene = begun(tmp_path)
    freeze(scene.run.store, scene.config.model_copy(update={"label_delay_us": 1}))
    status, refusal = posted(scene, GOOD)
    assert (status, refusal["error"]) == (409, "POLICY_CHANGED_MID_RUN")
    assert "label_delay_us" in refusal["detail"]


@pytest.mark.parametrize("one", EXAMPLES, ids=str)
def test_examples_are_taken_or_refused_as_they_say(tmp_path: Path, one: Any) -> None:
    config = Scene(tmp_path).config
    if one.reason is None:
        assert read_asked(config, one.value).features == config.features, "left out, they are those of the run"
        return
    with pytest.raises(AssayError) as refused:
        read_asked(config, one.value)
    assert refused.value.reason is one.reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "the key 'b' is given twice"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": -Infinity}', "-Infinity is no number of JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_json_that_has_two_meanings_or_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(Quarantine, match="SCHEMA_FAIL") as refused:
        with_documents({"rules": text})
    assert words in refused.value.what
    assert refused.value.where == "rules"
    assert object_of('{"a": 1}', "body") == {"a": 1}


@pytest.mark.parametrize("name", ["rules", "features"])
def test_a_number_beyond_all_bounds_is_refused(tmp_path: Path, name: str) -> None:
    (whole,) = (one.value for one in EXAMPLES if one.reason is None)
    with pytest.raises(Quarantine, match=f"SCHEMA_FAIL: the {name} have no canonical form"):
        read_asked(Scene(tmp_path).config, {**whole, name: json.loads('{"a": 1e999}')})


def test_operators_see_a_change_and_a_refusal_and_figures_count_them(tmp_path: Path) -> None:
    scene, lines = begun(tmp_path), list[Any]()
    telemetry = Telemetry([lines.append, RunMetrics(lambda: 1.0)], KINDS)
    scene.service = RunnerService(replace(scene.service.runner, telemetry=telemetry), ACCESS)
    before = figures()
    for rules in (STRICT, STRICT, changed(DOCUMENT, "8", lower=1)):
        posted(scene, {**GOOD, "rules": rules, "dry_run": False})
    posted(scene, {**GOOD, "rules": changed(DOCUMENT, "9"), "dry_run": True})
    assert telemetry.close(60) == 0
    said = [(one["event_kind"], one["severity"], one["outcome"]) for one in lines if one["event_kind"].startswith("POLICY")]
    assert said == [("POLICY_REV_ACTIVATED", "INFO", "OK"), ("POLICY_REV_REFUSED", "WARN", "FAIL")]
    (activated,) = [one["details"] for one in lines if one["event_kind"] == "POLICY_REV_ACTIVATED"]
    assert (activated["policy_seq"], activated["revision"]) == (1, "8")
    assert [after - known for after, known in zip(figures(), before, strict=True)] == [1, 1]


def figures() -> list[float]:
    """Changes that were published, and those that were refused with POLICY_REVISION_REFUSED."""
    samples = {(one.name, *one.labels.values()): one.value for family in RUNNER.collect() for one in family.samples}
    refused = ("assay_sr_policy_revisions_refused_total", "POLICY_REVISION_REFUSED")
    return [samples.get(("assay_sr_policy_revisions_total",), 0.0), samples.get(refused, 0.0)]


def test_of_two_who_ask_at_once_one_changes_and_the_other_is_told(tmp_path: Path) -> None:
    scene = begun(tmp_path)
    runner = scene.service.runner
    lease = runner.authority.acquire(f"policy:{scene.run_id}", "another", 60_000_000, runner.clock())
    assert lease is not None
    assert posted(scene, GOOD)[0] == 503
    runner.authority.release(lease, runner.clock())
    assert posted(scene, GOOD)[0] == 200
