"""A group that could not be settled: nobody is told of its events, not by its own calls and not by those that wait for it."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from gate_events import event, paid, raw
from gate_process import run_in

from assay.app.bus.offsets import log_bounds
from assay.app.gate.calls import Answer, IngestCall
from assay.app.gate.process import Gate, build
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.spool import unsealed
from assay.app.substrate import Server
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's")]


@pytest.fixture
def gate(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[Gate]:
    """A gate whose threads are not started: the test begins and ends its groups in the order it wants."""
    built = build(run_in(tmp_path / "run", kafka.address, dsn, namespace))
    built.reach.control.start()
    yield built
    built.reach.control.stop()
    built.reach.publisher.close()
    for index in (built.reach.claims, built.reach.settled, built.reach.probed):
        index.close()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def begun(gate: Gate, *ids: str) -> IngestCall:
    """A call whose group is examined, claimed and published, and waits for its end."""
    call = IngestCall([raw(event(one)) for one in ids], exceptions_only=False, caller=OF_RUN_KEY)
    gate.pipeline._begin([call])
    return call


def end(gate: Gate) -> None:
    """End the group that was begun first, as the settling thread does."""
    group = gate.pipeline._begun.get_nowait()
    assert isinstance(group, tuple)
    gate.pipeline._end(*group)


def test_an_event_that_waits_for_a_group_that_could_not_be_settled_has_to_be_sent_again(gate: Gate) -> None:
    """The first call's receipts could not be written: its event is on the bus, and no receipt says so.

    A duplicate that told its place would be an admission without a receipt.
    """
    first, follower, later = begun(gate, "e-1"), begun(gate, "e-1"), begun(gate, "e-2")
    with full_disk():
        end(gate)
    refused = first.answer.exception(0)
    assert isinstance(refused, Retry)
    assert refused.reason is Reason.STORE_FULL
    end(gate)
    end(gate)
    answer: Answer = follower.answer.result(0)
    assert answer.retry is not None
    assert [(one["admission"], "eb_ref" in one) for one in answer.results] == [("RETRY", False)]
    assert later.answer.result(0).counts == {"ADMIT": 1}


def test_what_the_disk_did_not_take_is_written_when_it_is_back_and_nothing_is_published_twice(gate: Gate) -> None:
    """The process knows its place: nobody has to look for it on the bus. Nothing waits for the failed group any more."""
    begun(gate, "e-1")
    with full_disk():
        end(gate)
    assert len(gate.pipeline.active) == 1, "no resolver takes it for lost"
    again = begun(gate, "e-1")
    assert gate.pipeline._flights.keys() != set()
    end(gate)
    assert [one["error"] for one in again.answer.result(0).results] == ["ADMISSION_IN_FLIGHT"]
    assert gate.pipeline.active == set()
    duplicate = begun(gate, "e-1")
    end(gate)
    assert [one["admission"] for one in duplicate.answer.result(0).results] == ["DUPLICATE"]
    receipts = [json.loads(line) for data in unsealed(gate.reach.control._run.directory, RECEIPTS) for line in data.splitlines()]
    assert [(one["decision"], one["event_id"]) for one in receipts] == [("ADMIT", "e-1"), ("DUPLICATE", "e-1")]
    assert gate.pipeline._flights == {}


def test_claims_whose_answer_was_lost_are_released_since_nothing_was_published(gate: Gate, kafka: Server, dsn: str, namespace: str) -> None:
    """The view that is asked for what is known of `e-1` is away: `e-2` is claimed by then. No resolver runs here, and no operator."""

    def submitted(*ids: str) -> Future[Answer]:
        call = IngestCall([raw(event(one)) for one in ids], exceptions_only=False, caller=OF_RUN_KEY)
        gate.pipeline.submit(call)
        return call.answer

    gate.pipeline.start()
    assert submitted("e-1").result(60).counts == {"ADMIT": 1}
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("ALTER VIEW ig_standing RENAME TO ig_away")
        lost = submitted("e-1", "e-2").exception(60)
        assert isinstance(lost, Retry)
        assert lost.reason is Reason.INDEX_UNAVAILABLE
        assert owner.execute("SELECT count(*) FROM ig_claims").fetchone() == (2,)
    until(lambda: submitted("e-1", "e-2").result(60).counts == {"ADMIT": 1, "DUPLICATE": 1}, 60)
    gate.pipeline.drain()
    assert gate.pipeline.active == set()
    bounds = log_bounds(kafka.address, topic("FP_BUS_TRAFFIC_FRAUD_V1").name(namespace))
    assert sum(end - first for first, end in bounds.values()) == 2


def receipts_of(gate: Gate) -> list[tuple[str, str]]:
    """(decision, event id) of every line on this machine."""
    lines = [line for data in unsealed(gate.reach.control._run.directory, RECEIPTS) for line in data.splitlines()]
    return [(read["decision"], read["event_id"]) for read in map(json.loads, lines)]


def test_another_payload_under_a_known_id_has_the_receipt_of_its_refusal_alone(gate: Gate) -> None:
    """Also where it comes in one group with the first one, whose place is known."""
    other = raw(event("e-1", payload=paid(amount_minor=9)))
    for items in ([raw(event("e-1")), other], [other]):
        gate.pipeline._begin([IngestCall(items, exceptions_only=True, caller=OF_RUN_KEY)])
        end(gate)
    assert receipts_of(gate) == [("ADMIT", "e-1"), ("QUARANTINE", "e-1"), ("QUARANTINE", "e-1")]


def test_receipts_are_written_once_where_the_index_takes_the_settlement_later(gate: Gate, dsn: str) -> None:
    call = begun(gate, "e-1")
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("ALTER TABLE ig_batches RENAME TO ig_batches_away")
        end(gate)
        owner.execute("ALTER TABLE ig_batches_away RENAME TO ig_batches")
    refused = call.answer.exception(0)
    assert isinstance(refused, Retry)
    assert refused.reason is Reason.INDEX_UNAVAILABLE
    begun(gate, "e-2")
    end(gate)
    assert receipts_of(gate) == [("ADMIT", "e-1"), ("ADMIT", "e-2")]
    assert gate.pipeline.active == set()
