"""What a lane's journal must not be able to do to it: lose an answer, move a mark back, change the policy, outgrow the broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from records import CONTEXT, CONTROL, LABELS, POSTURE, RTDL, TRAFFIC, chunk, decision, mark, payment
from simulated_worlds import config

from assay.agents.lane import LaneMachine
from assay.agents.step import JournalEntry
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Columns, Strings
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, CLAIM, RESULT, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
CODE = b"\1" * 32
JOURNAL_VALUE_BYTES_MAX = 16 * 1024 * 1024 - 1024
LONG = "😀" * 250


def lane(name: str = "rtdl") -> LaneMachine:
    """A lane that has read nothing."""
    return fold_machine_of(TOPOLOGY.lane(name), config(), partition_counts(1), code=CODE)


def record(sequence: int, kind: str = BATCH, columns: Columns | None = None, n: int = 0, epoch: int = 0) -> JournalRecord:
    """A journal record of these columns."""
    return JournalRecord(0, epoch, sequence, kind, WALL_US, -1, CODE, config().digest, [], [], n, block_of(columns or {}))


def recover(one: LaneMachine, values: Sequence[JournalRecord]) -> LaneMachine:
    """A lane that has read these records."""
    for value in values:
        one.recover(value.to_bytes())
    return one


def test_records_of_a_superseded_writer_count_for_nothing() -> None:
    values = [
        record(0, CLAIM, epoch=1),
        record(1, epoch=1),
        record(2, CLAIM, epoch=2),
        record(2, epoch=1),
        record(3, epoch=2),
        record(3, CLAIM, epoch=2),
    ]
    one = recover(lane(), values[:5])
    one.unemitted()
    entry = one.claim_entry(WALL_US)
    assert (entry.sequence, JournalRecord.from_bytes(entry.value).epoch) == (4, 3)


def test_answers_of_a_superseded_writer_answer_nothing_and_the_effector_is_asked_again() -> None:
    """The old writer's RESULT landed behind the new one's claim, and the new one died before it had asked."""
    writer = recover(lane("act"), [record(0, CLAIM, epoch=1)])
    writer.unemitted()
    writer.receive(chunk(RTDL, [decision("a")]))
    entry = writer.next_entry(WALL_US)
    assert entry is not None
    started = replace(JournalRecord.from_bytes(entry.value), epoch=1)
    answer: Columns = {
        "row.status": Strings.repeat(b"EXECUTED", 1),
        "row.attempts": np.ones(1, np.int32),
        "row.reason": Strings.repeat(b"", 1),
        "row.provider_ref": Strings.repeat(b"", 1),
    }
    void = record(2, RESULT, answer, 1, epoch=1)
    third = recover(lane("act"), [record(0, CLAIM, epoch=1), started, record(2, CLAIM, epoch=2), void])
    ((sequence, outcome),) = third.unemitted()
    assert sequence == 1
    assert outcome.effects is not None
    assert outcome.effects.ask_first


def test_a_mark_that_comes_again_does_not_move_the_journaled_one_back() -> None:
    """A row between the two is late for the process that saw both and for the one that starts after it."""
    later, again = (replace(record(n), watermarks=[(TRAFFIC, 0, ts)], ranges=[(TRAFFIC, 0, n, n)]) for n, ts in ((0, 100), (1, 50)))
    one = recover(lane(), [later, again])
    one.unemitted()
    one.receive(chunk(TRAFFIC, [payment("late", 70)], 2))
    entry = one.next_entry(WALL_US)
    assert entry is not None
    assert unpack(one.apply(entry.value).emissions[0].values.row(0) or b"")[1]["reason"] == Reason.LATE_BEYOND_WATERMARK.value


def test_a_journal_of_another_policy_is_not_gone_on_with() -> None:
    """Its unemitted tail would be decided once more and otherwise."""
    with pytest.raises(Stop) as refused:
        recover(lane(), [record(0, CLAIM, epoch=1), replace(record(1, epoch=1), run_config_digest=b"\7" * 32)])
    assert refused.value.reason is Reason.RUN_CONFIG_MISMATCH
    assert "070707070707" in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([b"x" * 900_000] * 40, id="refused records near the topic's limit"),
        pytest.param(
            [payment(f"{n:06d}" + LONG, 5, entities={"customer": f"{n:06d}" + LONG, "terminal": LONG}) for n in range(6_000)],
            id="ids as long as the gate admits",
        ),
    ],
)
def test_a_journal_record_stays_below_what_a_broker_takes_and_no_offset_is_lost(values: list[bytes]) -> None:
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), config().model_copy(update={"ordering": "arrival"}), partition_counts(1))
    one.receive(chunk(TRAFFIC, values))
    entries = []
    while (entry := one.next_entry(WALL_US)) is not None:
        entries.append(JournalRecord.from_bytes(entry.value))
        assert len(entry.value) <= JOURNAL_VALUE_BYTES_MAX
    assert len(entries) > 1
    covered = [n for r in entries for _, _, first, last in r.ranges for n in range(first, last + 1)]
    assert sorted(covered) == list(range(len(values)))
    assert sum(r.rows + len(np.asarray(r.columns.get("refused.offset", ()))) for r in entries) == len(values)


def _goes_on(one: LaneMachine, _: list[bytes]) -> LaneMachine:
    return one


def _starts_from_its_journal(one: LaneMachine, values: list[bytes]) -> LaneMachine:
    """Outputs were not known to be out: they are sent again, and a second claim says that they are."""
    again = recover(lane(), [JournalRecord.from_bytes(value) for value in values])
    assert again.unemitted()
    again.apply(again.claim_entry(WALL_US + 100_000).value)
    again.emitted(one.applied.sequence)
    _settled(again, again.claim_entry(WALL_US + 100_000))
    return again


def _starts_from_a_snapshot(one: LaneMachine, _: list[bytes]) -> LaneMachine:
    again = lane()
    again.restore(one.state())
    again.unemitted()
    _settled(again, again.claim_entry(WALL_US + 100_000))
    return again


@pytest.mark.parametrize("restarted", [_goes_on, _starts_from_its_journal, _starts_from_a_snapshot])
def test_an_idle_lane_sends_its_last_changelog_rows_and_then_leaves_a_clean_point(
    restarted: Callable[[LaneMachine, list[bytes]], LaneMachine],
) -> None:
    one = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1), rows_max=1, code=CODE)
    one.unemitted()
    claim = one.claim_entry(WALL_US)
    _settled(one, claim)
    one.receive(chunk(TRAFFIC, [payment("a", 5), payment("b", 6), mark(TRAFFIC, 0, 0, final=True)]))
    for handle in (CONTROL, POSTURE, LABELS, CONTEXT):
        one.receive(chunk(handle, [mark(handle, 0, 0, final=True)]))
    changelogs = {"FP_CHANGELOG_FEATURES_V1", "FP_CHANGELOG_ENTITIES_V1"}
    first, second = one.next_entry(WALL_US), one.next_entry(WALL_US + 100_000)
    assert first is not None
    assert second is not None
    assert _settled(one, first) == {RTDL, *changelogs}
    assert _settled(one, second) == {RTDL}, "the interval since the last rows has not passed"
    one = restarted(one, [claim.value, first.value, second.value])
    assert one.next_entry(WALL_US + 1_099_999) is None, "it is not idle yet"
    assert _settled(one, one.next_entry(WALL_US + 1_100_000)) == changelogs
    note = one.next_entry(WALL_US + 2_100_000)
    assert _settled(one, note) == set()
    assert note is not None
    assert JournalRecord.from_bytes(note.value).emitted_through == note.sequence - 1
    assert one.next_entry(WALL_US + 60_000_000) is None, "an idle lane does not fill its journal"


def _settled(one: LaneMachine, entry: JournalEntry | None) -> set[str]:
    """Fold an entry, take its outputs as acknowledged, and say where they went."""
    assert entry is not None
    outcome = one.apply(entry.value)
    one.emitted(entry.sequence)
    return {emission.handle for emission in outcome.emissions}
