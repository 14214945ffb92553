"""A journal record of a run as the lane of another policy folds it: the same rows in their order, with the columns that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from assay.agents.step import TopicPartition
from assay.codecs.columns import Columns
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import REFUSED, ROW, JournalRecord


class MissingColumns(Protocol):
    """Columns that the journal does not hold."""

    def of(self, rows: Columns) -> Columns:
        """The missing columns of these rows. Raises Stop(COLUMN_NOT_JOURNALED) where one cannot be had."""

    def settle(self, position: Mapping[TopicPartition, int], watermark_us: int) -> None:
        """How far the journal has come: next offset per input partition, and the event time that no later row is before."""

    def close(self) -> None:
        """No column is asked for any more."""


def with_missing(rows: Columns, missing: MissingColumns | None) -> Columns:
    """Journaled columns and those that the journal does not hold."""
    return rows if missing is None or not rows else rows | missing.of(rows)


def translated(record: JournalRecord, value: bytes, rows: Columns, columns: Sequence[str]) -> bytes:
    """The record with these columns of its rows, taken from `rows`; its own bytes where it has just these."""
    held = record.block.within(ROW)
    if not record.rows or held.keys() == set(columns):
        return value
    refused = {REFUSED + name: column for name, column in record.block.within(REFUSED).items()}
    return replace(record, block=block_of({**{ROW + name: rows[name] for name in columns}, **refused})).to_bytes()
