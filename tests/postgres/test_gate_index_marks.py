"""Marks in the admission index on real PostgreSQL: remembered, moved under a lock, and a claim knows whether they have moved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import psycopg
import pytest
from claims import Claim
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.app.gate.index import AdmissionIndex, MarksMoved, Process
from assay.app.gate.index_marks import Mark, marks_of, marks_text, move_marks
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.reasons import Reason
from assay.testing import until

_RUNS = count()


def claims(name: str) -> list[Claim]:
    return [Claim(hashlib.sha256(name.encode()).digest(), b"p" * 32, 0, 0)]


def moved(dsn: str, run: str, **marks: Mark) -> dict[str, Mark]:
    return AdmissionIndex(dsn).ask(lambda connection: move_marks(connection, run, lambda _: marks))


def test_marks_are_remembered_by_run_and_class(dsn: str) -> None:
    moved(dsn, "run-1", traffic=Mark(5, False), label=Mark(2, False))
    moved(dsn, "run-2", traffic=Mark(7, False))
    assert moved(dsn, "run-1", traffic=Mark(9, True)) == {"traffic": (9, True), "label": (2, False)}
    moved(dsn, "run-1", traffic=Mark(12, False))
    assert AdmissionIndex(dsn).ask(lambda connection: marks_of(connection, "run-1"))["traffic"] == (12, True), "a final mark stays final"


def test_a_mark_that_is_refused_moves_nothing(dsn: str) -> None:
    moved(dsn, "run-1", traffic=Mark(5, False))

    def refuse(_: Mapping[str, Mark]) -> dict[str, Mark]:
        raise Quarantine(Reason.MARK_BACKWARDS, "what")

    with pytest.raises(Quarantine):
        AdmissionIndex(dsn).ask(lambda connection: move_marks(connection, "run-1", refuse))
    assert moved(dsn, "run-1") == {"traffic": (5, False)}


@given(
    marks=st.dictionaries(
        st.sampled_from(["traffic", "Traffic", "traffic_fraud", "label"]), st.builds(Mark, st.integers(0, 9), st.booleans())
    )
)
@settings(max_examples=drawn(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_index_and_a_gate_write_the_same_marks_alike(dsn: str, marks: dict[str, Mark]) -> None:
    run = f"run-{next(_RUNS)}"
    index = AdmissionIndex(dsn, process=Process(run))
    index.ask(lambda connection: move_marks(connection, run, lambda _: marks))
    assert index.claim(claims(run), index.next_batch(1)[0], marks=marks_text(marks)) == {}
    index.close()


def test_nothing_is_claimed_under_marks_that_have_moved(dsn: str) -> None:
    index = AdmissionIndex(dsn, process=Process("run-1"))
    moved(dsn, "run-1", traffic=Mark(5, False))
    with pytest.raises(MarksMoved):
        index.claim(claims("a"), index.next_batch(1)[0], marks="")
    assert index.claim(claims("a"), index.next_batch(1)[0], marks="traffic 5 false") == {}


def test_a_mark_waits_for_claims_that_are_being_made_and_claims_for_a_mark(dsn: str) -> None:
    """Else a claim could be made with marks that move before it is there, and nobody would wait for its batch."""
    index = AdmissionIndex(dsn, process=Process("run-1"), patience_ms=200)
    batch, _ = index.next_batch(1)
    with psycopg.connect(dsn) as other, psycopg.connect(dsn, autocommit=True) as marking:
        marking.execute("SET lock_timeout = '200ms'")
        other.execute("SELECT ig_claim('run-1', '', %s, '{}', %s, %s, '{0}', '{0}')", (batch, b"k" * 32, b"h" * 32))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            move_marks(marking, "run-1", lambda _: {"traffic": Mark(5, False)})
        other.rollback()
        other.execute("SELECT 1")  # its transaction stays open
        move_marks(other, "run-1", lambda _: {"traffic": Mark(5, False)})
        with pytest.raises(Retry):
            index.claim(claims("a"), batch)
        other.rollback()
        assert move_marks(marking, "run-1", lambda _: {"traffic": Mark(5, False)}) == {"traffic": (5, False)}


def test_a_claim_that_waited_for_a_mark_is_refused_by_that_mark(dsn: str) -> None:
    """What it looks at has to be read after the wait, not when the call began."""
    index = AdmissionIndex(dsn, process=Process("run-1"))
    batch, _ = index.next_batch(1)
    asking = index.ask(lambda connection: connection.info.backend_pid)
    with psycopg.connect(dsn) as other, psycopg.connect(dsn, autocommit=True) as watching, ThreadPoolExecutor(1) as thread:
        other.execute("SELECT 1")  # its transaction stays open
        move_marks(other, "run-1", lambda _: {"traffic": Mark(5, False)})
        claimed = thread.submit(index.claim, claims("a"), batch)
        until(lambda: watching.execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", (asking,)).fetchone() is not None)
        other.commit()
        with pytest.raises(MarksMoved):
            claimed.result()
    assert index.claim(claims("a"), batch, marks="traffic 5 false") == {}
