"""Who a running gate lets in: keys with names, service tokens, certificates. Its servers are not needed: callers are looked at first."""

from __future__ import annotations

import ssl
import time
import urllib.error
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from assay_command import assay
from certificates import LOOPBACK, Authority
from cryptography import x509
from cryptography.x509.oid import NameOID
from gate_events import SCOPE
from gate_process import KEY, GateProcess, run_in

from assay.app.gate.client_certificates import caller_of
from assay.app.gate.log_rate import LINES_MAX
from assay.app.gate.service_token import Principal, token_of
from assay.app.run.caller_keys import add, retire
from assay.app.run.directory import Run
from assay.contracts.caller import Caller
from assay.contracts.errors import Quarantine

AT = "2026-01-01T00:00:00.000000Z"
RUN_ID = str(SCOPE["platform_run_id"])
SECRET, BEFORE, STRANGE = "planted-secret-of-the-gate-000000", "planted-secret-of-before-00000000", "another-secret-of-nobody-here-000"
TAKEN, REFUSED = 503, 401  # without servers a call of somebody known is answered with Retry


class Room(NamedTuple):
    """A gate that takes everything that it can take, and what a client needs to reach it."""

    gate: GateProcess
    run: Run
    authority: Authority
    key: str

    def tls(self, *client: Path) -> ssl.SSLContext:
        """A client that trusts the gate's authority, with a certificate and key of its own, or without."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if client:
            context.load_cert_chain(client[0], client[1])
        return context

    def post(self, headers: dict[str, str], *client: Path) -> tuple[int, str]:
        """(status, detail) of a call that posts a payment."""
        status, answer = self.gate.call("/v1/payments", headers, {}, self.tls(*client))
        return status, answer["detail"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("access")
    run = run_in(folder / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    authority = Authority(folder)
    cert, key = authority.signed("gate", [(NameOID.COMMON_NAME, "gate")], [LOOPBACK])
    options = ["--tls-cert", str(cert), "--tls-key", str(key), "--client-ca", str(authority.file)]
    secrets = f"{SECRET}, {BEFORE}"
    variables = {"IG_SERVICE_TOKEN_SECRETS": secrets, "ASSAY_PRINCIPALS": "switch-1, till-7, urn:bank:till-8"}
    gate = GateProcess(run, options=options, variables=variables)
    yield Room(gate, run, authority, add(run.directory, "ana", "HUMAN", AT)[1])
    gate.kill()


def token(actor: str = "switch-1", audience: str = RUN_ID, for_s: int = 600, secret: str = SECRET) -> str:
    return token_of(Principal(actor, audience, int(time.time()) + for_s), secret)


def test_keys_of_the_run_and_of_actors_are_taken_and_a_retired_one_is_not(room: Room) -> None:
    made, second = add(room.run.directory, "switch-9", "SYSTEM", AT)
    keys = [KEY, room.key, second, second[:-1], "", "é"]
    assert [room.post({"X-IG-Api-Key": key})[0] for key in keys] == [TAKEN] * 3 + [REFUSED] * 3
    assert room.post({"Authorization": f"Bearer {second}"})[0] == TAKEN
    retire(room.run.directory, made.key_id)
    assert [room.post({"X-IG-Api-Key": key})[0] for key in (second, room.key)] == [REFUSED, TAKEN]


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ({}, TAKEN, ""),
        ({"secret": BEFORE}, TAKEN, ""),
        ({"secret": STRANGE}, REFUSED, "the service token is not signed by a secret of this gate"),
        ({"for_s": -1}, REFUSED, "the service token has expired"),
        ({"audience": "platform_20260101T000001Z"}, REFUSED, "the service token is for another audience"),
        ({"actor": "switch-2"}, REFUSED, "the actor 'switch-2' is not among those that may call this gate"),
    ],
)
def test_a_service_token_is_taken_or_refused_for_its_own_reason(room: Room, given: dict[str, str], status: int, told: str) -> None:
    got, detail = room.post({"X-IG-Service-Token": token(**given)})  # type: ignore[arg-type]
    assert (got, told in detail) == (status, True)


def test_a_wrong_token_beside_a_valid_key_is_refused(room: Room) -> None:
    assert room.post({"X-IG-Service-Token": "st.v2.x", "X-IG-Api-Key": KEY})[0] == REFUSED


def test_a_client_with_a_certificate_needs_no_key_and_one_without_needs_one(room: Room) -> None:
    till = room.authority.signed("till", [(NameOID.ORGANIZATION_NAME, "bank"), (NameOID.COMMON_NAME, "till-7")])
    by_other_name = room.authority.signed("other", [], [x509.UniformResourceIdentifier("urn:bank:till-8")])
    unlisted = room.authority.signed("unlisted", [(NameOID.COMMON_NAME, "till-9")])
    assert room.post({}, *till)[0] == TAKEN
    assert room.post({}, *by_other_name)[0] == TAKEN
    assert room.post({}, *unlisted) == (REFUSED, "the actor 'till-9' is not among those that may call this gate")
    assert room.post({"X-IG-Api-Key": "wrong"}, *till)[0] == REFUSED
    assert room.post({}) == (REFUSED, "the call has no key")
    assert room.gate.call("/healthz", {}, None, room.tls())[0] == 503


def test_a_certificate_of_others_or_of_yesterday_does_not_get_to_the_gate(room: Room, tmp_path: Path) -> None:
    name = [(NameOID.COMMON_NAME, "till-7")]
    strange, late = Authority(tmp_path, "strange").signed("a", name), room.authority.signed("late", name, valid=timedelta(minutes=-1))
    for client in (strange, late):
        with pytest.raises((OSError, urllib.error.URLError)):
            room.post({}, *client)


def test_refused_callers_are_counted_and_logged_at_a_limited_rate_without_what_they_sent(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    gate = GateProcess(run, variables={"IG_SERVICE_TOKEN_SECRETS": SECRET})
    wrong = token(secret=STRANGE)
    try:
        for number in range(LINES_MAX + 5):
            assert gate.call("/v1/payments", {"X-IG-Api-Key": f"planted-wrong-{number}"}, {})[0] == REFUSED
        assert gate.call("/v1/payments", {"X-IG-Service-Token": wrong}, {})[0] == REFUSED
        told = gate.get("/metrics")[1]
    finally:
        gate.stop()
    log = gate.rest()
    assert f'assay_gate_refused_calls_total{{reason="UNAUTHORISED"}} {LINES_MAX + 6}.0' in told
    assert log.count("a caller from 127.0.0.1 was refused") == LINES_MAX
    for word in (SECRET, "planted-wrong", wrong, wrong.split(".")[2]):
        assert word not in log + told


@pytest.mark.parametrize(
    ("certificate", "caller"),
    [
        (
            {"subject": ((("organizationName", "bank"),), (("commonName", "till-7"),))},
            ("till-7", "organizationName=bank,commonName=till-7"),
        ),
        ({"subject": (), "subjectAltName": (("DNS", "a.b"), ("URI", "urn:c"))}, ("urn:c", "urn:c")),
        ({"subjectAltName": (("IP Address", "10.0.0.1"), ("email", "a@b"))}, ("a@b", "a@b")),
        ({"subject": ((("commonName", "two\nlines"),),)}, ("two\\u000alines", "commonName=two\\u000alines")),
        ({"subject": ((("commonName", "x" * 300),),)}, ("x" * 256, "commonName=" + "x" * 245)),
    ],
)
def test_a_certificate_names_its_actor(certificate: dict[str, object], caller: tuple[str, str]) -> None:
    assert caller_of(certificate) == Caller(f"SYSTEM::{caller[0]}", "SYSTEM", "mtls", caller[1])


@pytest.mark.parametrize("certificate", [{}, {"subject": ((("commonName", " "),),)}, {"subjectAltName": (("IP Address", "10.0.0.1"),)}])
def test_a_certificate_that_names_nobody_lets_nobody_in(certificate: dict[str, object]) -> None:
    with pytest.raises(Quarantine, match="UNAUTHORISED: the certificate names nobody"):
        caller_of(certificate)


@pytest.mark.parametrize(
    ("options", "variables", "told"),
    [
        (["--tls-cert", "cert.pem"], {}, "TLS needs the gate's certificate and its key"),
        (["--client-ca", "ca.pem"], {}, "TLS needs the gate's certificate and its key"),
        (["--tls-cert", "none.pem", "--tls-key", "none.key"], {}, "cannot be used: No such file"),
        (["--tls-cert", "run.json", "--tls-key", "run.json"], {}, "no PEM that belongs together"),
        ([], {"IG_SERVICE_TOKEN_SECRETS": "planted-and-short"}, "fewer than 32 characters"),
        ([], {"OTHER": "planted-and-short", "ASSAY_TOKEN_SECRETS_VARIABLE": "OTHER"}, "fewer than 32 characters"),
    ],
)
def test_a_gate_that_could_not_know_its_callers_does_not_start(
    tmp_path: Path, options: list[str], variables: dict[str, Any], told: str
) -> None:
    run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    ended = assay("gate", "serve", "--run", tmp_path, *options, cwd=tmp_path, **variables)
    assert (ended.code, "SETTING_INVALID" in ended.err, told in ended.err) == (2, True, True), ended.text
    assert "planted" not in ended.text
