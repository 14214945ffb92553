"""gRPC, HTTP and the commands give the same answers and the same refusals to the same calls."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from served_runs import ANN, Scene
from source_tree import ROOT

from assay.app.runner.access import Access
from assay.app.runner.grpc_server import code_of, grpc_server
from assay.app.runner.reemit import ReemitPolicy
from assay.app.runner.request import read_request
from assay.app.runner.service import RunnerService
from assay.app.runner.wire_types import path_of
from assay.app.substrate.ports import free_port
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.reasons import Reason


def test_a_run_has_one_answer_whoever_carries_the_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path)
    ok, answer = scene.grpc("Submit", scene.document)
    assert (ok, answer["state"]) == (grpc.StatusCode.OK, "READY")
    assert scene.http("POST", "/v1/runs", scene.document) == (200, answer)
    assert scene.command(capsys, "submit") == answer
    assert scene.grpc("Show", {"run_id": scene.run_id})[1] == answer
    assert scene.http("GET", f"/v1/runs/{scene.run_id}")[1] == scene.command(capsys, "show") == answer
    asked = {"reason": "lost", "dry_run": True}
    said = scene.grpc("Reemit", {"run_id": scene.run_id, **asked})[1]
    assert scene.http("POST", f"/v1/runs/{scene.run_id}/reemit", asked)[1] == {"published": [], **said}
    assert scene.command(capsys, "reemit", "--reason", "lost", "--dry-run") == {"published": [], **said}
    assert scene.grpc("Reemit", {"run_id": scene.run_id, "reason": "lost"})[1]["published"] == [answer["message_id"]]


def test_a_run_that_was_set_aside_is_listed_and_shown_by_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(tmp_path, damaged=True)
    assert scene.grpc("ListQuarantined", {}) == (grpc.StatusCode.OK, {})
    _, answer = scene.grpc("Submit", scene.document)
    assert (answer["state"], answer["reason_code"]) == ("QUARANTINED", "EVIDENCE_CONFLICT")
    notice = scene.command(capsys, "quarantine", "show")
    assert notice["run_id"] == scene.run_id
    assert {"missing": [], **scene.grpc("ShowQuarantined", {"run_id": scene.run_id})[1]} == notice
    assert scene.http("GET", f"/v1/quarantine/{scene.run_id}") == (200, notice)
    (listed,) = scene.grpc("ListQuarantined", {})[1]["notices"]
    assert [{"missing": [], **listed}] == scene.http("GET", "/v1/quarantine")[1]["notices"] == scene.command(capsys, "quarantine", "list")


NOBODY = "0" * 32
X = {"reason": "x"}
BAD, UNKNOWN, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
UNMET, MISSING = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND
ROB, STRANGER, WRONG = {**ANN, "x-sr-actor": "rob"}, dict[str, str](), {"x-ig-api-key": "wrong"}
#: call, its message, the same over HTTP, headers, the status of both, and the reason; `{}` stands for the run
REFUSED: list[tuple[str, Any, str, str, Any, dict[str, str], tuple[int, grpc.StatusCode], Reason]] = [
    ("Submit", {}, "POST", "/v1/runs", {}, ANN, (400, BAD), Reason.SCHEMA_FAIL),
    ("Submit", "run", "POST", "/v1/runs", "run", STRANGER, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("Submit", "run", "POST", "/v1/runs", "run", WRONG, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("Submit", "run", "POST", "/v1/runs", "run", ROB, (403, DENIED), Reason.ACTOR_NOT_ALLOWED),
    ("Submit", "another", "POST", "/v1/runs", "another", ANN, (409, grpc.StatusCode.ALREADY_EXISTS), Reason.EQUIV_KEY_COLLISION),
    ("Submit", "foreign", "POST", "/v1/runs", "foreign", ANN, (409, UNMET), Reason.RUN_SCOPE_MISMATCH),
    ("Show", {"run_id": "{}"}, "GET", "/v1/runs/{}", None, STRANGER, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("Show", {"run_id": NOBODY}, "GET", f"/v1/runs/{NOBODY}", None, ANN, (404, MISSING), Reason.RUN_MISSING),
    ("Show", {"run_id": "latest"}, "GET", "/v1/runs/latest", None, ANN, (404, MISSING), Reason.RUN_MISSING),
    ("Reemit", {"run_id": "{}", **X}, "POST", "/v1/runs/{}/reemit", X, STRANGER, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("Reemit", {"run_id": "{}"}, "POST", "/v1/runs/{}/reemit", {}, ANN, (400, BAD), Reason.SCHEMA_FAIL),
    (
        *("Reemit", {"run_id": "{}", **X}, "POST", "/v1/runs/{}/reemit", X, ROB),
        *((429, grpc.StatusCode.RESOURCE_EXHAUSTED), Reason.REEMIT_RATE_LIMIT),
    ),
    (
        *("Supersede", {"run_id": "{}", "request": "run"}, "POST", "/v1/runs/{}/supersede", "run", ANN),
        *((409, UNMET), Reason.SUPERSEDES_ITSELF),
    ),
    ("Supersede", {"run_id": "{}"}, "POST", "/v1/runs/{}/supersede", {}, ANN, (400, BAD), Reason.SCHEMA_FAIL),
    ("ListQuarantined", {}, "GET", "/v1/quarantine", None, STRANGER, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("ShowQuarantined", {"run_id": "{}"}, "GET", "/v1/quarantine/{}", None, STRANGER, (401, UNKNOWN), Reason.UNAUTHORISED),
    ("ShowQuarantined", {"run_id": "{}"}, "GET", "/v1/quarantine/{}", None, ANN, (404, MISSING), Reason.RUN_MISSING),
]


def test_each_refusal_has_its_status_and_carries_code_place_and_remedy(tmp_path: Path) -> None:
    scene = Scene(tmp_path, policy=ReemitPolicy(limit=0))
    scene.service.runner.submit(read_request(scene.document))
    known = {"run": scene.document, "another": {**scene.document, "seed": 99}, "foreign": {**scene.document, "run_equivalence_key": "x"}}

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return known.get(value, value.format(scene.run_id)) if isinstance(value, str) else value

    for call, message, method, path, body, headers, (status, code), reason in REFUSED:
        over_grpc, over_http = scene.grpc(call, filled(message), headers), scene.http(method, filled(path), filled(body), headers)
        assert (over_grpc[0], over_http[0]) == (code, status), (call, message, over_grpc, over_http)
        assert {"where": "", "remedy": "", **over_grpc[1]} == over_http[1]
        assert over_http[1]["error"] == reason.value


def test_the_program_of_the_page_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "grpc.md").read_text(encoding="utf-8")
    program, printed = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)[0] for kind in ('python title="ask.py"', "text"))
    scene = Scene(tmp_path, damaged=True)
    scene.service.runner.submit(read_request(scene.document))
    server, port = grpc_server(scene.service, "127.0.0.1", 0)
    server.start()
    saved = tmp_path / "ask.py"
    saved.write_text(program)
    for key in ("right", "wrong"):
        monkeypatch.setattr(sys, "argv", [str(saved), f"127.0.0.1:{port}", key, scene.run_id])
        runpy.run_path(str(saved))
    server.stop(0).wait()
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Retry(Reason.STORE_SILENT, "away"), grpc.StatusCode.UNAVAILABLE),
        (Stop(Reason.LEASE_LOST, "lost"), UNMET),
        (Quarantine(Reason.INVALID_WINDOW, "no window"), BAD),
    ],
)
def test_a_refusal_says_by_its_kind_whether_the_call_may_be_repeated(refusal: Stop | Retry | Quarantine, code: grpc.StatusCode) -> None:
    assert code_of(refusal) is code


def test_a_bearer_token_is_a_key_too(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert scene.grpc("ListQuarantined", {}, {"authorization": "Bearer right"})[0] is grpc.StatusCode.OK


def test_a_fault_of_the_server_is_told_to_its_log_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def accepts(key: bytes) -> bool:
        raise OSError("the disk of the keys is gone")

    scene = Scene(tmp_path)
    scene.service = RunnerService(scene.service.runner, Access(accepts))
    with scene.channel() as channel:
        ask = channel.unary_unary(path_of("ListQuarantined"))
        with pytest.raises(grpc.RpcError) as refused:
            ask(b"", timeout=60)
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert "disk" not in refused.value.details()
    assert "the disk of the keys is gone" in caplog.text


@pytest.mark.long
def test_the_command_answers_on_both_ports_until_it_is_told_to_end(tmp_path: Path) -> None:
    scene, ports = Scene(tmp_path), (free_port(), free_port())
    options = ["--run", str(scene.run.directory), "--port", str(ports[0]), "--grpc-port", str(ports[1])]
    serving = subprocess.Popen([sys.executable, "-m", "assay", "sr", "serve", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    assert [serving.stdout.readline() for _ in ports] == [
        f"the Scenario Runner answers over gRPC at 127.0.0.1:{ports[1]}\n",
        f"the Scenario Runner answers at http://127.0.0.1:{ports[0]}/v1/runs\n",
    ]
    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(path_of("ListQuarantined"))(b"", timeout=60)
    assert refused.value.code() is UNKNOWN
    serving.terminate()
    assert serving.wait(60) == 0


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    server, port = grpc_server(scene.service, "127.0.0.1", 0)
    with pytest.raises(OSError, match=f"127.0.0.1:{port} cannot be listened on"):
        grpc_server(scene.service, "127.0.0.1", port)
    server.stop(0).wait()
