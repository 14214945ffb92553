"""What a journal says before it is folded: how many payments it holds, and which of them labels call fraud."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl

from assay.agents.journal import JournalReader
from assay.app.oracle.sealed_world import SealedWorld
from assay.codecs.columns import Strings
from assay.codecs.journal_record import ROW, JournalRecord
from assay.tables.row_kinds import LABEL, PAYMENT


class Surveyed(NamedTuple):
    """Counts of journaled rows, and the last label of each payment that has one: event id → whether it is fraud."""

    payments: int
    labels: int
    said: dict[str, bool]


class Truth(NamedTuple):
    """Event ids of frauds. `known` is False where neither the file nor any label tells a fraud from another payment."""

    frauds: pl.Series
    known: bool
    source: str


def surveyed(journal: Iterable[bytes]) -> Surveyed:
    """Read a journal once without folding it. Memory holds one entry per labelled payment."""
    reader, payments, labels, said = JournalReader(), 0, 0, dict[str, bool]()
    for value in journal:
        record = JournalRecord.from_bytes(value)
        if not reader.accept(record) or not record.rows:
            continue
        rows = record.block.within(ROW)
        kind = np.asarray(rows["kind"])
        payments += int(np.count_nonzero(kind == PAYMENT))
        at = np.flatnonzero(kind == LABEL)
        if len(at):
            subjects = rows["subject_event_id"]
            assert isinstance(subjects, Strings)
            told = zip(subjects.take(at).text(), (np.asarray(rows["label"])[at] == 1).tolist(), strict=True)
            said.update((subject, fraud) for subject, fraud in told if subject is not None)
            labels += len(at)
    return Surveyed(payments, labels, said)


def truth_of(world: SealedWorld | None, survey: Surveyed) -> Truth:
    """The truth of the run's file, and the last label of a payment over it."""
    file = set[str]()
    with_file = world is not None and bool(world.manifest.truth)
    if world is not None and with_file:
        file = set(world.truth().filter(pl.col("label") == 1)["event_id"].to_list())
    frauds = {event for event in file if survey.said.get(event, True)} | {event for event, fraud in survey.said.items() if fraud}
    posted = f"{survey.labels:,} labels in the journal" if survey.labels else ""
    source = " and ".join(filter(None, ("the truth of the file" if with_file else "", posted)))
    return Truth(pl.Series("event_id", sorted(frauds), pl.String), bool(source), source or "nobody has said yet")
