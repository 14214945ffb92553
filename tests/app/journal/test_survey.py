"""What a journal's survey says: epochs with their ranges, records of writers that had lost the lane, and every fault by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from simulated_worlds import config
from snapshot_stores import journal

from assay.agents.journal import JournalReader
from assay.agents.step import LaneId
from assay.app.cli.journal import epoch_line
from assay.app.journal.reading import StoredRecord
from assay.app.journal.survey import Survey, surveyed
from assay.codecs.journal_record import BATCH, CLAIM, UPGRADE, JournalRecord
from assay.contracts.reasons import Reason

DIGEST = config().digest
Change = Callable[[list[JournalRecord]], Sequence[JournalRecord | bytes]]


def survey(records: Sequence[JournalRecord | bytes], first: int = 0, reader: JournalReader | None = None) -> Survey:
    values = [record if isinstance(record, bytes) else record.to_bytes() for record in records]
    return surveyed([StoredRecord(first + n, value) for n, value in enumerate(values)], LaneId("rtdl", 0), DIGEST, reader)


def undisturbed() -> list[JournalRecord]:
    return [JournalRecord.from_bytes(value) for value in journal("rtdl")]


def made(epoch: int, sequence: int, kind: str = BATCH, code: bytes = b"\1" * 32, **more: object) -> JournalRecord:
    record = JournalRecord(0, epoch, sequence, kind, 0, -1, code, DIGEST)
    return replace(record, **more)  # type: ignore[arg-type]


def test_an_undisturbed_journal_has_no_findings_and_covers_its_inputs_from_the_start() -> None:
    found = survey(undisturbed())
    assert found.findings == []
    assert [(epoch.number, epoch.first_sequence, epoch.last_sequence) for epoch in found.epochs] == [(1, 0, len(undisturbed()) - 1)]
    assert sum(epoch.rows for epoch in found.epochs) == sum(record.rows for record in undisturbed())
    assert all(coverage.base > 0 for coverage in found.covered.values())


def test_writers_are_told_apart_with_their_code_and_what_came_too_late_is_counted() -> None:
    found = survey([made(1, 0, CLAIM), made(1, 1), made(2, 2, UPGRADE, b"\2" * 32), made(1, 2), made(2, 3, code=b"\2" * 32)])
    assert found.findings == []
    assert found.superseded == 1
    assert [(epoch.number, epoch.began, epoch.records, epoch.last_offset) for epoch in found.epochs] == [
        (1, CLAIM, 2, 1),
        (2, UPGRADE, 2, 4),
    ]
    assert "020202020202" in epoch_line(found.epochs[1])


def test_a_journal_that_begins_with_a_record_that_came_too_late_goes_on_behind_the_snapshot() -> None:
    """Of itself that record cannot be told from one that counts: the next one was taken for a gap, and nothing was truncated again."""
    found = survey([made(2, 30), made(4, 33), made(4, 34)], 33, JournalReader(0, 4, 32))
    assert found.findings == []
    assert (found.superseded, [epoch.number for epoch in found.epochs]) == (1, [4])


@pytest.mark.parametrize("first", [1, 5])
def test_a_journal_without_its_head_goes_on_where_it_begins(first: int) -> None:
    found = survey(undisturbed()[first:], first)
    assert found.findings == []
    assert found.epochs[0].began == ""
    assert found.epochs[0].first_sequence == first


def test_a_journal_that_begins_with_a_claim_after_its_head_was_deleted_is_whole() -> None:
    assert survey([made(7, 90, CLAIM), made(7, 91)], 90).findings == []


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        pytest.param(lambda rs: [*rs[:3], *rs[4:]], Reason.JOURNAL_SEQUENCE_GAP, "offset 3", id="a record is missing"),
        pytest.param(lambda rs: [*rs[:3], rs[2], *rs[3:]], Reason.JOURNAL_SEQUENCE_GAP, "offset 3", id="a record comes twice"),
        pytest.param(lambda rs: [*rs[:3], replace(rs[3], epoch=9), *rs[4:]], Reason.JOURNAL_SEQUENCE_GAP, "epoch 9", id="no claim"),
        pytest.param(lambda rs: [*rs[:3], replace(rs[3], shard=1), *rs[3:]], Reason.JOURNAL_UNREADABLE, "of shard 1", id="another shard"),
        pytest.param(lambda rs: [*rs[:3], b"junk", *rs[3:]], Reason.JOURNAL_UNREADABLE, "offset 3", id="bytes that are no record"),
        pytest.param(
            lambda rs: [*rs[:3], replace(rs[3], run_config_digest=b"\7" * 32), *rs[4:]], Reason.RUN_CONFIG_MISMATCH, "record 3", id="policy"
        ),
        pytest.param(
            lambda rs: [*rs[:3], replace(rs[3], ranges=[*rs[3].ranges, *_ranges(rs[:3])]), *rs[4:]],
            Reason.JOURNAL_RANGES_OVERLAP,
            "record 3",
            id="an offset is covered twice",
        ),
        pytest.param(
            lambda rs: [*rs[:3], replace(rs[3], ranges=[*rs[3].ranges, *_ranges(rs[:3], more=10_000)]), *rs[4:]],
            Reason.JOURNAL_RANGES_OVERLAP,
            "record 3",
            id="a part of a range is covered twice",
        ),
    ],
)
def test_what_is_wrong_with_a_journal_is_found_by_name(change: Change, reason: Reason, named: str) -> None:
    findings = survey(change(undisturbed())).findings
    assert findings[0].reason is reason
    assert named in findings[0].text
    assert findings[0].line.startswith(f"{reason.name}: ")


def test_a_record_of_another_shard_is_found_and_the_journal_goes_on_without_it() -> None:
    records = undisturbed()
    found = survey([*records[:3], replace(records[3], shard=1), *records[3:]])
    assert [finding.reason for finding in found.findings] == [Reason.JOURNAL_UNREADABLE]
    assert found.epochs[0].records == len(records)


def _ranges(records: Sequence[JournalRecord], more: int = 0) -> list[tuple[str, int, int, int]]:
    topic, partition, first, last = next(covered for record in records for covered in record.ranges)
    return [(topic, partition, first, last + more)]
