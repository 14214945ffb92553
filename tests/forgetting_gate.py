"""A process of a gate that claims and settles at given times, and what forgets the ids of its run."""

from __future__ import annotations

import hashlib
from functools import partial

import psycopg
from claims import Claim

from assay.app.gate.forgetting_thread import Forgetting
from assay.app.gate.horizon import RunHorizon
from assay.app.gate.index import AdmissionIndex, Process
from assay.app.gate.index_marks import Mark, marks_of, marks_text, move_marks
from assay.app.gate.standing import RecordMetadata

RUN = "one"
S_US = 1_000_000
HORIZON = RunHorizon(10 * S_US, 0, None)
BY_MARKS = RunHorizon(10 * S_US, 0, ("context", "traffic"))


def key(name: str) -> bytes:
    """The dedupe key of an event."""
    return hashlib.sha256(name.encode()).digest()


def claims(times_s: dict[str, int]) -> list[Claim]:
    """Claims of events at these seconds, of one payload."""
    return [Claim(key(name), b"p" * 32, order, at * S_US) for order, (name, at) in enumerate(times_s.items())]


class Gate:
    """A process of a gate that claims and settles."""

    def __init__(self, dsn: str, run: str = RUN, number: int = 0) -> None:
        self.dsn, self.run = dsn, run
        self.index = AdmissionIndex(dsn, process=Process(run, number))

    @property
    def marks(self) -> str:
        """The marks as a claim names them."""
        return marks_text(self.index.ask(partial(marks_of, platform_run_id=self.run)))

    def claim(self, **times_s: int) -> int:
        """Claim these events at these seconds; the batch. All of them must be new."""
        batch, _ = self.index.next_batch(len(times_s))
        assert self.index.claim(claims(times_s), batch, marks=self.marks) == {}
        return batch

    def admit(self, **times_s: int) -> int:
        """The same, each with a place."""
        batch = self.claim(**times_s)
        self.index.settle(batch, [RecordMetadata(0, at) for at in range(len(times_s))])
        return batch

    def mark(self, seconds: int, *classes: str) -> None:
        """Move the marks of these classes."""
        moved = {name: Mark(seconds * S_US, False) for name in classes}
        self.index.ask(partial(move_marks, platform_run_id=self.run, moved=lambda _: moved))

    def known(self, *names: str) -> set[str]:
        """Which of these the index knows in any state."""
        found = self.index.times([key(name) for name in names])
        return {name for name in names if key(name) in found}


def forgetting(dsn: str, horizon: RunHorizon = HORIZON, run: str = RUN) -> Forgetting:
    """What a process calls once a minute."""
    return Forgetting(AdmissionIndex(dsn), run, horizon, 0.0)


def sql(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """As the owner."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def an_hour_later(dsn: str) -> None:
    """Everything was begun an hour earlier."""
    sql(dsn, "UPDATE ig_begun SET begun_at = begun_at - interval '1 hour'")


def rows(dsn: str) -> dict[str, int]:
    """How many rows each table has."""
    tables = ("claims", "begun", "batches", "found", "scanned", "answers")
    return {name: int(str(sql(dsn, f"SELECT count(*) FROM ig_{name}")[0][0])) for name in tables}
