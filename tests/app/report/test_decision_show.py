"""`assay decision show` over a small audit chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample_audits import write_chain
from sample_decisions import FEATURES
from shown_runs import decided_by, run_at

from assay.app.cli.decision import main
from assay.app.report.decision_search import find
from assay.app.report.decision_view import facts
from assay.app.report.summary import summarize
from assay.app.run.directory import Run
from assay.app.run.policy_revisions import PolicyRevision, keep
from assay.app.stores.segment_journal import HEAD, segment_key
from assay.codecs.audit_segment import GENESIS
from assay.codecs.single_object import pack
from assay.contracts.canonical import canonical, document_bytes, document_digest
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

POLICY: dict[str, Any] = {
    "policy_id": "p",
    "revision": "1",
    "rules": [
        {"code": "MANY", "points": 30, "when": [{"feature": "count_1d", "ge": 3}]},
        {"code": "NIGHT", "points": 5, "when": [{"feature": "is_night", "eq": 1}, {"feature": "amount_minor", "gt": 10}]},
    ],
    "thresholds": {"STEP_UP": 30},
}
DECISION_ID = "04" * 16


@pytest.fixture
def run(tmp_path: Path, decision_record: dict[str, Any]) -> Run:
    """A run with one audited decision in segment 1, held by the head."""
    found = run_at(tmp_path, POLICY)
    decision = decided_by(POLICY, decision_record)
    other = {**decision, "decision_id": b"\x11" * 16, "source_event": {**decision["source_event"], "event_id": "pay-10"}}
    write_chain(found.store, [other, decision])
    return found


@pytest.mark.parametrize("wanted", ["pay-1", DECISION_ID])
def test_a_decision_is_found_by_event_and_by_its_own_id(run: Run, wanted: str) -> None:
    found = find(run, wanted)
    assert found.decision["source_event"]["event_id"] == "pay-1"
    assert found.proof is not None
    assert (found.proof.segment, found.proof.position, found.proof.held_by) == (segment_key(1), 0, "the head of the chain")


def test_an_earlier_segment_is_held_by_the_next_one(run: Run) -> None:
    proof = find(run, "pay-10").proof
    assert proof is not None
    assert (proof.previous, proof.held_by) == (GENESIS, segment_key(1))


def test_a_segment_nothing_vouches_for_says_so(run: Run) -> None:
    run.store.replace(HEAD, canonical({"sequence": 1, "sha256": "0" * 64}))
    proof = find(run, "pay-1").proof
    assert proof is not None
    assert proof.held_by == ""


def test_show_prints_reasons_with_their_rules_and_values(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["show", "pay-1", "--run", str(run.directory)]) == 0
    printed = capsys.readouterr().out
    for expected in (
        "customer  c-1\n310.00 EUR · 1970-01-01T00:00:00.000005Z",
        "transaction pay-1",
        "STEP_UP, score 35",
        "MANY  +30 points\n  payments of this customer within 1d: 4 (at least 3)\n",
        "NIGHT  +5 points\n  at night, to 06:59 UTC\n  amount: 310.00 EUR (more than 0.10 EUR)\n",
        "NORMAL, sequence 1, policy r, trusted",
        "T[0] < 10",
        "EXECUTED after 1 attempt(s)",
        "the head of the chain",
        DECISION_ID,
    ):
        assert expected in printed


def test_no_digest_is_broken_at_any_width(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    main(["show", "pay-1", "--run", str(run.directory)])
    printed = capsys.readouterr().out
    for digest in ("05" * 32, "07" * 32, "12" * 32):
        assert digest in printed


def test_a_mean_over_several_currencies_is_shown_as_an_amount_of_none(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "pay-1", "--run", str(run.directory)]) == 0
    assert "minor units of all currencies" not in capsys.readouterr().out
    mixed = {**FEATURES, "currencies": "any"}
    run.model_copy(update={"config": run.config.model_copy(update={"features": mixed})}).save()
    assert main(["show", "pay-1", "--run", str(run.directory)]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("mean_1d"))
    assert "minor units of all currencies" in shown


def test_a_decision_is_explained_by_the_rules_that_were_in_force(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run began with other rules; its store keeps those that followed."""
    monkeypatch.setenv("COLUMNS", "160")
    begun = {**POLICY, "revision": "0", "rules": POLICY["rules"][1:], "thresholds": {"STEP_UP": 4}}
    run.model_copy(update={"config": run.config.model_copy(update={"policy": begun})}).save()
    assert main(["show", "pay-1", "--run", str(run.directory)]) == 0
    assert "does not have the rules this decision was made by" in capsys.readouterr().out
    now, before = (document_digest(one).hex() for one in (POLICY, begun))
    keep(run.store, PolicyRevision(1, "p", "1", now, before, document_bytes(POLICY).decode(), 0, 5, "ann", "attack"))
    assert main(["show", "pay-1", "--run", str(run.directory)]) == 0
    told = capsys.readouterr().out
    assert "MANY  +30 points\n  payments of this customer within 1d: 4 (at least 3)\n" in told
    assert "(STEP_UP from 30)" in told
    assert "does not have the rules" not in told
    changed = [value for name, value in summarize(Run.load(run.directory)).identity.items() if name.startswith("policy changed to")]
    assert changed == ["p r1, 1970-01-01T00:00:00.000005Z by ann"]


def test_show_prints_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", DECISION_ID, "--run", str(run.directory), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["decision"]["score"] == 35
    assert printed["outcome"]["status"] == "EXECUTED"


def test_what_is_not_audited_yet_is_found_on_the_bus_without_proof(run: Run, decision_record: dict[str, Any]) -> None:
    fresh = {**decision_record, "source_event": {**decision_record["source_event"], "event_id": "pay-2"}}
    found = find(run, "pay-2", lambda *_: [None, pack("decision_response", decision_record), pack("decision_response", fresh)])
    assert found.decision["source_event"]["event_id"] == "pay-2"
    assert (found.outcome, found.proof) == (None, None)
    assert facts(found)["proof"].startswith("not proven")
    assert facts(found)["action"].startswith("not proven")


@pytest.mark.parametrize("wanted", ["pay-2", "zz" * 16, "ff" * 16, "pay"])
def test_an_id_that_nothing_holds_is_not_found(run: Run, wanted: str) -> None:
    with pytest.raises(Stop) as refusal:
        find(run, wanted, lambda *_: [])
    assert refusal.value.reason is Reason.DECISION_NOT_FOUND


def _silent(*_: object) -> Iterator[bytes | None]:
    raise Retry(Reason.BROKER_UNREACHABLE, "nothing answers")


def test_a_silent_broker_matters_only_to_a_run_without_segments(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Stop) as refused:
        find(run, "pay-2", _silent)
    assert refused.value.where == "audit/segments"
    assert refused.value.remedy.startswith("FP_BUS_RTDL_V1 was not searched: nothing answers")
    bare = run.model_copy(update={"directory": tmp_path / "bare"})
    with pytest.raises(Retry):
        find(bare, "pay-1", _silent)
