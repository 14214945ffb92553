"""A preflight tries every row, says which failed and why, and keeps the evidence of both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assay_command import assay
from gate_process import KEY, GateProcess, run_in

from assay.app.gate.preflight import READY, Failed, evidence, keep, known, rows, strangers, write
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateProcess]:
    """A gate that is RED: its servers are away."""
    room = tmp_path_factory.mktemp("preflight")
    process = GateProcess(run_in(room / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))
    yield process
    process.kill()


def a_run(directory: Path) -> Run:
    return run_in(directory, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)


def refusing() -> dict[str, Any]:
    raise Retry(Reason.BUS_UNAVAILABLE, "the broker is away")


def broken() -> dict[str, Any]:
    raise OSError("no route")


def test_one_row_that_fails_keeps_no_other_from_being_tried() -> None:
    found = rows({"a": refusing, "b": lambda: {"offset": "7"}, "c": broken})
    assert [(row.name, row.passed, row.facts) for row in found] == [("a", False, {}), ("b", True, {"offset": "7"}), ("c", False, {})]
    assert [row.fault for row in found] == ["BUS_UNAVAILABLE: the broker is away", "", "OSError: no route"]


def test_the_evidence_is_kept_of_what_passed_and_of_what_failed(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    good = evidence(rows({"a": lambda: {"offset": "7"}}), run, "http://gate", "p-1", 0)
    keep(good, run.store)
    assert json.loads(run.store.read(READY)) == good
    assert (good["ready"], good["checked_at_utc"], good["rows"][0]["facts"]) == (True, "1970-01-01T00:00:00.000000Z", {"offset": "7"})
    bad = evidence(rows({"a": dict, "b": refusing, "c": broken}), run, "http://gate", "p-2", 0)
    with pytest.raises(Retry) as refused:
        keep(bad, run.store)
    assert (refused.value.reason, refused.value.exit_code) == (Reason.GATE_NOT_READY, 75)
    assert refused.value.what == "b: BUS_UNAVAILABLE: the broker is away"
    assert (json.loads(run.store.read(READY)), bad["ready"]) == (bad, False)


class Replacing(DirectoryStore):
    """A store that keeps no promise to write once."""

    def create(self, key: str, data: bytes) -> None:
        self.replace(key, data)


class Losing(DirectoryStore):
    """A store that gives back something else."""

    def read(self, key: str) -> bytes:
        return super().read(key)[:-1]


def test_a_store_has_to_write_once_and_to_read_back(tmp_path: Path) -> None:
    assert write(DirectoryStore(tmp_path), "p-1") == {"object": "ig/preflight/p-1.json", "bytes": 22}
    with pytest.raises(Failed, match="has replaced"):
        write(Replacing(tmp_path), "p-2")
    with pytest.raises(Failed, match="does not read back"):
        write(Losing(tmp_path), "p-3")


def test_a_gate_that_refuses_strangers_and_cannot_admit_passes_one_row(gate: GateProcess) -> None:
    assert asyncio.run(strangers(gate.url, None)) == {"GET /v1/ops/health": 401, "POST /v1/ingest/batch": 401}
    with pytest.raises(Failed, match="the gate is RED: BUS_UNAVAILABLE"):
        asyncio.run(known(gate.url, KEY, None))
    with pytest.raises(Failed, match="answered with 401: UNAUTHORISED"):
        asyncio.run(known(gate.url, "wrong", None))
    with pytest.raises(Failed, match="without a key is answered with 404"):
        asyncio.run(strangers(f"{gate.url}/elsewhere", None))


def test_the_command_prints_each_row_and_ends_with_the_first_that_failed(gate: GateProcess) -> None:
    ended = assay("gate", "preflight", "--run", gate.run.directory, "--url", gate.url)
    assert ended.code == 75, ended.text
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        ["passed", "unauthenticated"],
        ["FAILED", "authenticated"],
        ["FAILED", "publish"],
        ["passed", "store"],
    ]
    assert "GATE_NOT_READY: authenticated: the gate is RED" in ended.err
    assert json.loads(gate.run.store.read(READY))["ready"] is False
    assert KEY not in gate.run.store.read(READY).decode() + ended.text


@pytest.mark.parametrize(
    ("options", "told"),
    [([], "no address of a gate is known"), (["--url", "http://127.0.0.1:1", "--ca-file", "none"], "the authority cannot be used")],
)
def test_a_preflight_that_could_not_begin_is_refused(tmp_path: Path, options: list[str], told: str) -> None:
    a_run(tmp_path)
    ended = assay("gate", "preflight", "--run", tmp_path, *options)
    assert (ended.code, told in ended.err) == (2, True), ended.text
