"""A sealed bank reaches READY by the same path as an imported world; each fault of its evidence has its verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from planted_worlds import made
from scenario_runs import request_for, runner_over
from small_graph import IDENTITY
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US

from assay.app.pack.interface import CATALOGUE, GATE_MAP, Interface, interface_of
from assay.app.pack.sealed_pack import MANIFEST, RECEIPT, SEAL
from assay.app.runner.answers import RunAnswer
from assay.app.runner.bank_world import BankWorld
from assay.app.runner.documents import FACTS_VIEW, read_kept
from assay.app.runner.plan import RunnerPolicy
from assay.app.runner.receipts import receipt_key
from assay.app.stores.objects import DirectoryStore
from assay.contracts.json_schema import fault_of
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import BASELINE, FRAUD

STREAM = "s3_event_stream_with_fraud_6B"
GATE = "gate.layer3.6B.validation"


class Bank:
    """A bank of a few rows, and runs of it."""

    def __init__(self, folder: Path) -> None:
        self.pack, self.store = DirectoryStore(folder / "bank"), DirectoryStore(folder / "run" / "store")
        made(self.pack)
        self.interface: Interface = interface_of(self.pack.read(CATALOGUE), self.pack.read(GATE_MAP))
        self.config = config_of(_Manifest())  # type: ignore[arg-type]

    def submit(self, run: str = "5", wait_s: int = 0, **changes: Any) -> RunAnswer:
        config = self.config.model_copy(update={"scenario_run_id": run * 32})
        evidence = BankWorld(self.pack, self.interface)
        runner = runner_over(config, self.store, KeptRecords(), NOW_US, evidence=evidence, policy=RunnerPolicy(evidence_wait_s=wait_s))
        return runner.submit(request_for(config, run_equivalence_key=run, **changes), wait=False)

    def part(self) -> str:
        return next(key for key in self.pack.keys("data") if STREAM in key or "s3_event_stream_with_fraud" in key)


class _Manifest:
    manifest_fingerprint, parameter_hash = IDENTITY.manifest_fingerprint, IDENTITY.parameter_hash
    scenario_id, seed = IDENTITY.scenario_id, IDENTITY.seed


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


def test_a_bank_becomes_ready_with_locators_gates_and_a_receipt_of_its_instance(bank: Bank) -> None:
    answer = bank.submit()
    assert (answer.state, answer.why) == ("READY", "")
    facts = read_kept(bank.store, FACTS_VIEW, "5" * 32)
    assert facts is not None
    (locator,), (receipt,) = facts["locators"], facts["instance_receipts"]
    assert (locator["output_id"], locator["rows"], len(locator["files"])) == (STREAM, 12, 2)
    assert (facts["min_ts_utc"], facts["max_ts_utc"]) == ("1970-01-01T00:00:00.001000Z", "1970-01-01T00:00:00.001006Z")
    assert [gate["status"] for gate in facts["gate_receipts"]] == ["PASS"]
    assert receipt["target_digest"] == locator["content_digest"]
    assert json.loads(bank.store.read(receipt["receipt_ref"])) == receipt
    assert fault_of("sr_instance_receipt.v1", receipt) is None
    assert bank.submit("6").state == "READY", "another run of the same instance finds the same receipt"


def _flag(bank: Bank) -> str:
    return next(key for key in bank.pack.keys("") if key.endswith("_passed.flag"))


def _replace(key: str, data: bytes) -> Callable[[Bank], None]:
    return lambda bank: bank.pack.replace(key, data)


def _seal_failed(bank: Bank) -> None:
    bank.pack.replace(SEAL, json.dumps({**json.loads(bank.pack.read(SEAL)), "seal_status": "SEALED_FAILED"}).encode())


#: fault → (what is done, state, reason, a word of the fault)
FAULTS: dict[str, tuple[Callable[[Bank], None], str, Reason, str]] = {
    "no pack": (lambda bank: bank.pack.remove(RECEIPT), "FAILED", Reason.EVIDENCE_MISSING_DEADLINE, GATE),
    "no seal": (lambda bank: bank.pack.remove(SEAL), "FAILED", Reason.EVIDENCE_MISSING_DEADLINE, GATE),
    "no flag": (lambda bank: bank.pack.remove(_flag(bank)), "FAILED", Reason.EVIDENCE_MISSING_DEADLINE, GATE),
    "a seal that failed": (_seal_failed, "FAILED", Reason.GATE_FAIL, "SEALED_FAILED"),
    "a flag that cannot be read": (lambda bank: bank.pack.replace(_flag(bank), b"?"), "QUARANTINED", Reason.EVIDENCE_CONFLICT, "form"),
    "a flag of another digest": (
        lambda bank: bank.pack.replace(_flag(bank), b"sha256_hex = " + b"0" * 64 + b"\n"),
        "QUARANTINED",
        Reason.EVIDENCE_CONFLICT,
        "the flag says 000",
    ),
    "a changed file": (lambda bank: bank.pack.replace(bank.part(), b"x"), "QUARANTINED", Reason.EVIDENCE_CONFLICT, "DIGEST_MISMATCH"),
    "a missing file": (lambda bank: bank.pack.remove(bank.part()), "QUARANTINED", Reason.EVIDENCE_CONFLICT, "OBJECT_MISSING"),
    "a manifest that cannot be read": (_replace(MANIFEST, b"{"), "QUARANTINED", Reason.EVIDENCE_CONFLICT, "PACK_MANIFEST_INVALID"),
    "a changed catalogue": (_replace(CATALOGUE, b"{}"), "QUARANTINED", Reason.EVIDENCE_CONFLICT, "DIGEST_MISMATCH"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_verdict(bank: Bank, fault: str) -> None:
    act, state, reason, word = FAULTS[fault]
    act(bank)
    answer = bank.submit()
    assert (answer.state, answer.reason_code) == (state, reason.value)
    assert word in answer.why
    assert read_kept(bank.store, FACTS_VIEW, "5" * 32) is None


def test_what_is_missing_is_waited_for_until_the_deadline(bank: Bank) -> None:
    bank.pack.remove(SEAL)
    assert bank.submit(wait_s=60).state == "WAITING_EVIDENCE"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seed": 99}, Reason.RUN_SCOPE_MISMATCH),
        ({"output_ids": ["nothing_6B"]}, Reason.OUTPUT_UNKNOWN),
        ({"output_ids": [BASELINE.events, FRAUD.events]}, Reason.TRAFFIC_MODES_MIXED),
    ],
)
def test_a_request_for_something_else_fails_its_run(bank: Bank, changes: dict[str, Any], reason: Reason) -> None:
    answer = bank.submit(**changes)
    assert (answer.state, answer.reason_code) == ("FAILED", reason.value)
    assert bank.submit(**changes) == answer


def test_an_instance_that_was_verified_with_other_content_is_drift(bank: Bank) -> None:
    bank.submit()
    receipt = read_kept(bank.store, FACTS_VIEW, "5" * 32)["instance_receipts"][0]  # type: ignore[index]
    key = receipt_key(STREAM, receipt["scope"])
    bank.store.replace(key, json.dumps({**receipt, "target_digest": {"algo": "sha256", "hex": "0" * 64}}).encode())
    answer = bank.submit("6")
    assert (answer.state, answer.reason_code) == ("FAILED", "INSTANCE_RECEIPT_DRIFT")
    assert read_kept(bank.store, FACTS_VIEW, "6" * 32) is None
