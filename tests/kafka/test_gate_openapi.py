"""The gate keeps to its own specification, whatever is posted: a fuzzer of schemas draws the calls, and none is answered with 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import drawn
from gate_process import KEY, GateProcess, run_in
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, CheckContext, Response, openapi
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from assay.app.gate.operations import OPERATIONS
from assay.app.run.directory import Run
from assay.app.substrate import Server

pytestmark = pytest.mark.usefixtures("kafka")
UNAVAILABLE = 503


@pytest.fixture
def of_payments(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_in(tmp_path / "run", kafka.address, dsn, namespace)


@pytest.fixture
def of_a_world(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_in(tmp_path / "run", kafka.address, dsn, namespace, traffic="fraud")


@pytest.fixture
def without_servers(tmp_path: Path) -> Run:
    return run_in(tmp_path / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[GateProcess]:
    process = GateProcess(request.getfixturevalue(request.param))
    yield process
    process.kill()


def no_failure_of_its_own(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """What goes wrong is the caller's (4xx), or may be over when the same call is sent again (503)."""
    del context
    status = response.status_code
    assert status < 500 or status == UNAVAILABLE, f"{case.operation.label} is answered with {status}"
    if status == UNAVAILABLE and case.path != "/healthz":
        assert response.headers.get("retry-after"), f"{case.operation.label} does not say when to send the call again"


CHECKS = [
    no_failure_of_its_own,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("key", [KEY, pytest.param("wrong", marks=pytest.mark.long)])
@pytest.mark.parametrize("gate", ["of_payments", "of_a_world", "without_servers"], indirect=True)
def test_every_call_that_a_fuzzer_draws_is_answered_as_the_specification_says(gate: GateProcess, key: str) -> None:
    schema = openapi.from_url(f"{gate.url}/openapi.json")
    found = list(schema.get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found)
    own = {"GET /openapi.json"}  # the fuzzer leaves out the document that it read
    assert {one.label for one in operations} == {f"{one.method} {one.path}" for one in OPERATIONS} - own
    for operation in operations:

        @settings(max_examples=drawn(60 if key == KEY else 20), deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def hold(case: Case[Any]) -> None:
            case.call_and_validate(base_url=gate.url, headers={"X-IG-Api-Key": key}, checks=CHECKS)

        hold()
