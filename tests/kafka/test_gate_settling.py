"""A group that could not be settled: nobody is told of its events, not by its own calls and not by those that wait for it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gate_events import event, raw
from gate_process import run_in

from assay.app.gate.calls import Answer, IngestCall
from assay.app.gate.process import Gate, build
from assay.app.substrate import Server
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

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


def test_after_a_group_that_could_not_be_settled_its_event_is_admitted_again(gate: Gate) -> None:
    """Published once more under its own id, which the lanes fold once; and nothing waits for the failed group any more."""
    begun(gate, "e-1")
    with full_disk():
        end(gate)
    again = begun(gate, "e-1")
    end(gate)
    assert [one["admission"] for one in again.answer.result(0).results] == ["ADMIT"]
    duplicate = begun(gate, "e-1")
    end(gate)
    assert [one["admission"] for one in duplicate.answer.result(0).results] == ["DUPLICATE"]
    assert gate.pipeline._flights == {}
