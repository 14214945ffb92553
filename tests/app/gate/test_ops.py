"""Paths of who operates a gate, on one without its servers: who may ask, what is refused, and no old name is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from gate_process import KEY, GateProcess, run_in
from source_tree import ROOT

from assay.app.gate.health import GateState, Health
from assay.app.gate.openapi import specification
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason

PAGE = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateProcess]:
    process = GateProcess(
        run_in(tmp_path_factory.mktemp("ops") / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    )
    yield process
    process.kill()


@pytest.mark.parametrize(
    ("path", "key", "status", "told"),
    [
        ("/livez", None, 200, {"status": "up"}),
        ("/healthz", None, 503, {"state": "RED"}),
        ("/v1/ops/health", KEY, 200, {"state": "RED"}),
        ("/v1/ops/health", None, 401, {"error": "UNAUTHORISED"}),
        ("/v1/ops/health", "wrong", 401, {"error": "UNAUTHORISED"}),
        ("/v1/ops/lookup?event_id=e-1", None, 401, {"error": "UNAUTHORISED"}),
        ("/v1/ops/lookup", KEY, 400, {"error": "LOOKUP_INVALID", "where": "query"}),
        ("/v1/ops/lookup?event_id=a&receipt_id=b", KEY, 400, {"error": "LOOKUP_INVALID", "where": "query"}),
        ("/v1/ops/lookup?dedupe_key=a", KEY, 400, {"error": "LOOKUP_INVALID", "where": "dedupe_key"}),
        ("/v1/ops/lookup?event_id=%ff", KEY, 503, {"error": "INDEX_UNAVAILABLE"}),
        ("/v1/ops/lookup?event_id=e-1", KEY, 503, {"error": "INDEX_UNAVAILABLE"}),
    ],
)
def test_a_path_answers_whom_it_may_and_says_what_is_wrong(
    gate: GateProcess, path: str, key: str | None, status: int, told: dict[str, Any]
) -> None:
    got, answer = gate.get(path, key)
    assert (got, {**answer, **told}) == (status, answer)


@pytest.mark.parametrize("key", [None, KEY])
def test_the_gate_pulls_nothing_and_says_what_streams(gate: GateProcess, key: str | None) -> None:
    status, answer = gate.post("/v1/ingest/pull", {}, key)
    assert (status, answer["error"], "assay stream" in answer["remedy"]) == (404, "PATH_UNKNOWN", True)


def test_no_name_of_the_prior_platform_is_told_or_is_a_code() -> None:
    table = PAGE.partition("## Names of the prior platform")[2].partition("\n## ")[0]
    old = {name for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([A-Za-z_]+)`", row)}
    assert {"UNAUTHORIZED", "MISSING_QUERY", "receipt_ref", "payload_too_large"} <= old
    told = set(re.findall(r"[A-Za-z_]+", json.dumps(specification("1", {"payment": {"event_id": "e"}}))))
    assert old & {reason.value for reason in Reason} == set()
    assert old & told <= {"decision", "receipt"}  # plain words of sentences


def fault(reason: Reason) -> Retry:
    return Retry(reason, "it is away", remedy="Wait.")


def failing(reason: Reason) -> None:
    raise fault(reason)


@pytest.mark.parametrize(
    ("part", "warning", "state"),
    [
        (None, None, GateState.GREEN),
        (None, Reason.QUARANTINE_SPIKE, GateState.AMBER),
        (None, Reason.STORE_SILENT, GateState.AMBER),
        (Reason.BUS_UNAVAILABLE, None, GateState.RED),
        (Reason.INDEX_UNAVAILABLE, None, GateState.RED),
        (Reason.RECEIPT_NOT_DURABLE, None, GateState.RED),
        (Reason.STORE_FULL, None, GateState.RED),
        (Reason.BUS_UNAVAILABLE, Reason.QUARANTINE_SPIKE, GateState.RED),
    ],
)
def test_each_reason_has_its_state(part: Reason | None, warning: Reason | None, state: GateState) -> None:
    health = Health({"bus": lambda: None if part is None else failing(part)}, 1.0)
    assert health.state is GateState.AMBER, "before the first look nobody knows"
    warnings: list[AssayError] = [] if warning is None else [fault(warning)]
    health.warnings.append(lambda: next(iter(warnings), None))
    health.look()
    assert health.state is state
    assert [reason.partition(":")[0] for reason in health.reasons()] == [one.value for one in (part, warning) if one is not None]
    warnings.clear()
    assert health.state is (GateState.RED if part else GateState.GREEN)
