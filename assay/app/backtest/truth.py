"""What a journal says before it is folded: how many payments it holds, and which of them labels call fraud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from assay.agents.journal import JournalReader
from assay.app.oracle.sealed_world import SealedWorld
from assay.codecs.columns import I64, Columns, Strings
from assay.codecs.journal_record import ROW, JournalRecord
from assay.tables.row_kinds import LABEL, PAYMENT


class Surveyed(NamedTuple):
    """Counts of journaled rows, and what was said last of each labelled payment: event id → whether it is fraud."""

    payments: int
    labels: int
    said: dict[str, bool]


class Truth(NamedTuple):
    """Event ids of frauds. `known` is False where neither the file nor any label tells a fraud from another payment."""

    frauds: pl.Series
    known: bool
    source: str


def surveyed(journal: Iterable[bytes]) -> Surveyed:
    """Read a journal once without folding it. Memory holds one entry per labelled payment.

    Last is the label with the latest time, of one time the later in the order of the source, as in the report.
    """
    reader, payments, labels = JournalReader(), 0, 0
    said: dict[str, list[Any]] = {}
    for value in journal:
        record = JournalRecord.from_bytes(value)
        if not reader.accept(record) or not record.rows:
            continue
        rows = record.block.within(ROW)
        kind = np.asarray(rows["kind"])
        payments += int(np.count_nonzero(kind == PAYMENT))
        for subject, *told in _labels(rows, np.flatnonzero(kind == LABEL)):
            labels += 1
            if subject is not None and said.get(subject, told)[:2] <= told[:2]:
                said[subject] = told
    return Surveyed(payments, labels, {subject: told[2] for subject, told in said.items()})


def _labels(rows: Columns, at: I64) -> Iterator[tuple[str | None, int, int, bool]]:
    """(subject, time in µs, order in the source, whether it is fraud) of labels."""
    if len(at):
        subjects = rows["subject_event_id"]
        assert isinstance(subjects, Strings)
        numbers = (np.asarray(rows[name])[at].tolist() for name in ("ts_us", "source_order"))
        yield from zip(subjects.take(at).text(), *numbers, (np.asarray(rows["label"])[at] == 1).tolist(), strict=True)


def truth_of(world: SealedWorld | None, survey: Surveyed) -> Truth:
    """The truth of the run's file, else what labels said last, as in the report."""
    if world is not None and world.manifest.truth:
        frauds = world.truth().filter(pl.col("label") == 1)["event_id"].to_list()
        return Truth(_series(frauds), known=True, source="as the file says")
    frauds = [event for event, fraud in survey.said.items() if fraud]
    return Truth(
        _series(frauds), known=bool(survey.labels), source=f"as {survey.labels:,} labels say" if survey.labels else "nobody has said yet"
    )


def _series(events: Iterable[str]) -> pl.Series:
    return pl.Series("event_id", sorted(events), pl.String)
