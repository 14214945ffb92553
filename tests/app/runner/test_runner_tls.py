"""The Scenario Runner speaks TLS on both ports, and a client certificate names the actor in place of a key."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from assay_command import assay
from certificates import LOOPBACK, Authority
from cryptography.x509.oid import NameOID
from reasons_met import seen
from served_runs import Scene

from assay.app.run.directory import Run
from assay.app.runner.certified import over_grpc, over_http
from assay.app.runner.service import Caller
from assay.app.runner.wire_types import path_of
from assay.app.substrate.ports import free_port
from assay.contracts.errors import Quarantine

KEY = "a key of the run"
Pair = tuple[Path, Path]
REEMIT = {"reason": "lost", "dry_run": True}


class Room(NamedTuple):
    """A runner behind TLS that knows the clients of its authority; only ann may act."""

    authority: Authority
    run_id: str
    http_port: int
    grpc_port: int
    ann: Pair
    rob: Pair

    def http(self, path: str, headers: dict[str, str], client: Pair | None = None, body: Any = None) -> tuple[int, Any]:
        """(status, answer) of a call."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if client is not None:
            context.load_cert_chain(*client)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://127.0.0.1:{self.http_port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(seen(error.read().decode()))

    def grpc(self, client: Pair | None, authority: Path | None = None) -> grpc.StatusCode:
        """The status of a call that lists what was set aside, without a key."""
        cert, key = (None, None) if client is None else (client[0].read_bytes(), client[1].read_bytes())
        credentials = grpc.ssl_channel_credentials((authority or self.authority.file).read_bytes(), key, cert)
        with grpc.secure_channel(f"127.0.0.1:{self.grpc_port}", credentials) as channel:
            try:
                channel.unary_unary(path_of("ListQuarantined"))(b"", timeout=60)
            except grpc.RpcError as refused:
                return refused.code()
        return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("tls")
    scene, authority, ports = Scene(folder), Authority(folder), (free_port(), free_port())
    run = Run(directory=folder / "run", config=scene.config, bootstrap="127.0.0.1:1", dsn=scene.run.dsn, api_key=KEY)
    run.save()
    cert, key = authority.signed("runner", [(NameOID.COMMON_NAME, "runner")], [LOOPBACK])
    ann, rob = (authority.signed(name, [(NameOID.COMMON_NAME, name)]) for name in ("ann", "rob"))
    options = ["--run", run.directory, "--port", ports[0], "--grpc-port", ports[1], "--actor", "ann"]
    options += ["--tls-cert", cert, "--tls-key", key, "--client-ca", authority.file]
    serving = subprocess.Popen([sys.executable, "-m", "assay", "sr", "serve", *map(str, options)], stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    assert "over gRPC" in serving.stdout.readline()
    assert f"answers at https://127.0.0.1:{ports[0]}/" in serving.stdout.readline()
    yield Room(authority, scene.run_id, *ports, ann, rob)
    serving.terminate()
    assert serving.wait(60) == 0


def test_a_key_of_the_run_is_asked_for_and_taken_over_tls(room: Room) -> None:
    assert room.http("/v1/quarantine", {"X-IG-Api-Key": KEY}) == (200, {"notices": []})
    assert room.http("/v1/quarantine", {})[0] == 401


def test_plain_http_gets_no_answer(room: Room) -> None:
    with pytest.raises((OSError, urllib.error.URLError)):
        urllib.request.urlopen(f"http://127.0.0.1:{room.http_port}/v1/quarantine", timeout=60)


def test_a_client_certificate_is_taken_in_place_of_a_key_on_both_ports(room: Room) -> None:
    assert room.http("/v1/quarantine", {}, room.ann) == (200, {"notices": []})
    assert room.grpc(room.ann) is grpc.StatusCode.OK


def test_the_actor_is_the_name_in_the_certificate_whatever_the_call_says(room: Room) -> None:
    path = f"/v1/runs/{room.run_id}/reemit"
    status, answer = room.http(path, {"X-SR-Actor": "ann", "X-IG-Api-Key": KEY}, room.rob, REEMIT)
    assert (status, answer["error"], answer["detail"]) == (403, "ACTOR_NOT_ALLOWED", "'rob' may not reemit")
    assert room.http(path, {"X-SR-Actor": "rob"}, room.ann, REEMIT)[0] not in (401, 403), "she may, and there is nothing to say again"


def test_without_a_certificate_of_its_authority_grpc_answers_nobody(room: Room, tmp_path: Path) -> None:
    strange = Authority(tmp_path, "strange")
    other = strange.signed("ann", [(NameOID.COMMON_NAME, "ann")])
    assert [room.grpc(None), room.grpc(other)] == [grpc.StatusCode.UNAVAILABLE] * 2
    assert room.grpc(room.ann, strange.file) is grpc.StatusCode.UNAVAILABLE, "the client asks for its own authority, too"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tls-cert", "cert.pem"], "TLS needs the runner's certificate and its key"),
        (["--client-ca", "ca.pem"], "TLS needs the runner's certificate and its key"),
        (["--tls-cert", "none.pem", "--tls-key", "none.key"], "the certificate and key of the runner cannot be used"),
    ],
)
def test_a_runner_that_could_not_speak_tls_does_not_start(room: Room, options: list[str], said: str) -> None:
    ended = assay("sr", "serve", "--run", room.authority.file.parent / "run", *options)
    assert (ended.code, "SETTING_INVALID" in ended.err, said in ended.err) == (2, True, True), ended.text


@pytest.mark.parametrize(
    ("told", "caller"),
    [
        ({}, Caller(b"k", "rob")),
        ({"transport_security_type": [b"ssl"]}, Caller(b"k", "rob")),
        ({"x509_common_name": [b"ann"], "x509_subject_alternative_name": [b"other"]}, Caller(b"k", "ann", certified=True)),
        ({"x509_common_name": [b" "], "x509_subject_alternative_name": [b"urn:ann"]}, Caller(b"k", "urn:ann", certified=True)),
    ],
)
def test_who_calls_over_grpc(told: dict[str, list[bytes]], caller: Caller) -> None:
    assert over_grpc(told, b"k", "rob") == caller


def test_who_calls_over_http() -> None:
    assert over_http(None, b"k", "rob") == over_http({}, b"k", "rob") == Caller(b"k", "rob")
    named = {"subject": ((("commonName", "ann"),),)}
    assert over_http(named, b"k", "rob") == Caller(b"k", "ann", certified=True)
    with pytest.raises(Quarantine, match="names nobody"):
        over_http({"subject": ()}, b"k", "rob")
