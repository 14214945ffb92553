"""A journal that holds less than is committed, or a record of another shard, is refused; a commit is never ahead of its journal."""

from __future__ import annotations

import pytest

from assay.agents.journal import JournalReader, refuse_cut_short
from assay.codecs.journal_record import BATCH, JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

A, B = ("FP_BUS_TRAFFIC_FRAUD_V1", 0), ("FP_BUS_TRAFFIC_FRAUD_V1", 1)


@pytest.mark.parametrize(("committed", "position"), [({}, {}), ({}, {A: 5}), ({A: 5}, {A: 5, B: 0}), ({A: 5, B: 0}, {A: 9})])
def test_a_journal_that_holds_what_is_committed_is_gone_on_with(
    committed: dict[tuple[str, int], int], position: dict[tuple[str, int], int]
) -> None:
    refuse_cut_short("rtdl", committed, position)


@pytest.mark.parametrize(("committed", "position"), [({A: 1}, {}), ({A: 5}, {A: 4}), ({A: 5, B: 1}, {A: 5, B: 0})])
def test_a_journal_that_holds_less_is_refused(committed: dict[tuple[str, int], int], position: dict[tuple[str, int], int]) -> None:
    with pytest.raises(Stop, match="made anew or has lost its end") as refused:
        refuse_cut_short("rtdl", committed, position)
    assert refused.value.reason is Reason.JOURNAL_RECREATED
    assert "start a new run" in refused.value.remedy


def test_a_record_of_another_shard_is_refused() -> None:
    """The partition of a journal is its shard, so the record was written to the wrong partition."""
    record = JournalRecord(1, 0, 0, BATCH, 0, -1, bytes(32), bytes(32))
    with pytest.raises(Stop, match="journal of shard 0: record 0 is of shard 1") as refused:
        JournalReader(0).accept(record)
    assert refused.value.reason is Reason.JOURNAL_UNREADABLE
    assert JournalReader(1).accept(record)
