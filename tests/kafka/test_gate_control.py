"""The gate opens for a run when READY is said, for the outputs that it names, and its receipts name the policy in force. Real Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gate_events import event, row
from gate_process import GateProcess, mark, run_in
from policy_revisions import changed, fields
from said_ready import FACTS_REF, facts_of_run, publish_control, ready_of, say_ready

from assay.app.gate.control import Control
from assay.app.gate.run_standing import RunStanding
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.reasons import Reason
from assay.testing import until

HANDBOOK = load_policy("handbook")
Say = Callable[[Run], None]


def unready(run: Run) -> None:
    """Nothing is said."""


def for_another_configuration(run: Run) -> None:
    publish_control(run, "run_ready", {**ready_of(run.config, facts_of_run(run.config, ())), "run_config_digest": bytes(32)})


def of_another_platform_run(run: Run) -> None:
    other = run.config.model_copy(update={"platform_run_id": "platform_20260102T000000Z"})
    publish_control(run, "run_ready", ready_of(other, facts_of_run(other, ())))


def without_a_facts_view(run: Run) -> None:
    say_ready(run, kept=False)


def with_another_bundle(run: Run) -> None:
    facts = facts_of_run(run.config, ())
    run.store.replace(FACTS_REF, b'{"not": "a facts view"}')
    publish_control(run, "run_ready", ready_of(run.config, facts))


def ended_without_it(run: Run) -> None:
    pins = run.config.pins
    refs = {"status_ref": "sr/status", "record_ref": "sr/record", "reemit_key": bytes(32)}
    ended = {"run_id": bytes.fromhex(pins.scenario_run_id), "status_state": "FAILED", "reason_code": "EVIDENCE_CONFLICT"}
    head = {"event_id": "7" * 64, "event_type": "run_terminal_signal", "ts_utc": 1, "pins": pins.as_avro()}
    publish_control(run, "run_terminal_signal", {**head, **ended, **refs})


@pytest.fixture
def made(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_in(tmp_path / "run", kafka.address, dsn, namespace, ready=False)


@pytest.fixture
def control(made: Run) -> Iterator[Control]:
    control = Control(made)
    control.start()
    yield control
    control.stop()


def refusal(standing: RunStanding) -> Quarantine:
    found = standing.refusal("transaction")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("say", "told"),
    [
        (unready, "the run is not READY"),
        (for_another_configuration, "another world or configuration"),
        (of_another_platform_run, "the run is not READY"),
        (without_a_facts_view, "a facts view that is not there"),
        (with_another_bundle, "the facts view is not of its form"),
        (ended_without_it, "FAILED by EVIDENCE_CONFLICT"),
    ],
)
def test_nothing_is_admitted_before_a_ready_of_this_run(say: Say, told: str, made: Run, control: Control) -> None:
    say(made)
    why = refusal(control.current())
    assert (why.reason, told in why.what) == (Reason.RUN_NOT_READY, True), why
    if say is not ended_without_it:
        say_ready(made)
        assert control.current().refusal("transaction") is None


def test_who_is_told_ready_may_post_at_once_and_a_refused_event_may_come_again(made: Run) -> None:
    gate = GateProcess(made)
    try:
        status, answer = gate.post("/v1/ingest/push", event("e-1"))
        assert (status, answer["error"], answer["where"]) == (422, "RUN_NOT_READY", "$.scenario_run_id")
        assert gate.post("/v1/ingest/marks", mark("2018-04-01T00:00:00.000000Z"))[0:1] == (409,)
        say_ready(made)
        assert gate.post("/v1/ingest/push", event("e-1"))[1]["admission"] == "ADMIT"
        assert gate.post("/v1/ingest/marks", mark("2018-04-01T00:00:00.000000Z"))[0] == 200
        assert gate.stop() == 0
        receipts = list(gate.receipts())
        assert [one["reason_codes"] for one in receipts] == [["RUN_NOT_READY"], []]
        assert {one["run_config_digest"] for one in receipts} == {made.config.digest.hex()}
    finally:
        gate.kill()


def test_a_row_is_admitted_only_of_an_output_that_ready_names(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> None:
    run = run_in(tmp_path / "run", kafka.address, dsn, namespace, traffic="fraud", ready=False)
    say_ready(run, ("arrival_events_5B",))
    gate = GateProcess(run)
    try:
        _, answer = gate.batch([row("arrival_events_5B"), row("s3_event_stream_with_fraud_6B")])
        assert [one.get("error") or one["admission"] for one in answer["results"]] == ["ADMIT", "GATE_MISSING"]
    finally:
        gate.kill()


def with_policy(run: Run) -> Run:
    config = run.config.model_copy(update={"features": HANDBOOK.features, "policy": HANDBOOK.rules})
    return run.model_copy(update={"config": config})


def policy_revision(run: Run, rules: Any, follows: Any, seq: int = 1, **other: Any) -> None:
    publish_control(run, "policy_revision", {**fields(rules, follows, seq), "pins": run.config.pins.as_avro(), **other})


def test_the_next_receipt_names_the_policy_that_a_record_brought(made: Run) -> None:
    run = with_policy(made)
    run.save()
    say_ready(run)
    gate = GateProcess(run)
    numbers = iter(range(1_000))

    def named() -> str:
        payment = event(f"e-{next(numbers)}", payload={"kind": "p", "amount_minor": 1, "currency": "EUR", "entities": {"customer": "1"}})
        receipt = gate.post("/v1/ingest/push", payment)[1]["receipt_id"]
        lines = (run.directory / "spool" / "receipts.ndjson").read_text().splitlines()
        return next(line.split('"policy_rev":', 1)[1].split("}")[0] for line in lines if receipt in line)

    try:
        assert named() == f'{{"policy_id":"{HANDBOOK.rules["policy_id"]}","revision":"{HANDBOOK.rules["revision"]}"'
        policy_revision(run, changed(HANDBOOK.rules, "next"), HANDBOOK.rules)
        until(lambda: '"revision":"next"' in named(), 20)
    finally:
        gate.kill()


def test_a_revision_that_lanes_refuse_or_that_is_of_another_run_changes_no_receipt(made: Run) -> None:
    run = with_policy(made)
    say_ready(run)
    first, second = changed(HANDBOOK.rules, "first"), changed(HANDBOOK.rules, "second")
    policy_revision(run, second, first, 2)  # it follows one that is not in force
    policy_revision(run, second, HANDBOOK.rules, 1, revision="third")
    policy_revision(run, second, HANDBOOK.rules, 1, pins=replace(run.config.pins, scenario_run_id="1" * 32).as_avro())
    control = Control(run)
    control.start()
    try:
        assert control.read_up().policy["revision"] == HANDBOOK.rules["revision"]
        policy_revision(run, first, HANDBOOK.rules)
        policy_revision(run, first, HANDBOOK.rules)
        policy_revision(run, second, first, 2)
        assert dict(control.read_up().policy) == {"policy_id": HANDBOOK.rules["policy_id"], "revision": "second"}
    finally:
        control.stop()


def test_nobody_says_whether_a_run_is_ready_while_the_topic_cannot_be_read(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False)
    control = Control(run)
    control.start()
    for asked in (control.probe, control.read_up):
        with pytest.raises(Retry) as refused:
            asked()
        assert refused.value.reason is Reason.BUS_UNAVAILABLE
    control.stop()


def test_a_facts_view_that_cannot_be_read_now_is_read_later(made: Run, control: Control) -> None:
    say_ready(made)
    assert control.current().ready
    folder = Path(made.place) / FACTS_REF
    run = made.model_copy(update={"directory": made.directory})
    folder.rename(folder.with_suffix(".away"))
    folder.mkdir()  # a read of it is an OSError
    again = Control(run)
    again.start()
    try:
        with pytest.raises(Retry):
            again.read_up()
        assert not again.standing.ready
        folder.rmdir()
        folder.with_suffix(".away").rename(folder)
        until(lambda: again.standing.ready, 20)
    finally:
        again.stop()
