"""A lane as a fold of its journal: any cut of the rows, upgrades, tampered journals, gaps and floods of refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import journal
from machines import wired
from records import RTDL, TRAFFIC, chunk, mark, payment
from simulated_worlds import config
from states import read_back, written, written_without_versions

from assay.agents import lane_input as lane_module
from assay.agents.lane import LaneMachine
from assay.agents.step import Emission
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.codecs.columns import Columns, Strings, concat, rows, take
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import BATCH, CLAIM, RESULT, UPGRADE, JournalRecord
from assay.codecs.single_object import unpack
from assay.contracts.errors import AssayError, Stop
from assay.contracts.reasons import Reason

WALL_US = 1_800_000_000_000_000
CODE, OTHER_CODE = b"\1" * 32, b"\2" * 32


def lane(name: str = "rtdl", code: bytes | None = None) -> LaneMachine:
    """A lane that has read nothing."""
    return fold_machine_of(TOPOLOGY.lane(name), config(), partition_counts(1), code=code)


@cache
def lane_rows(name: str) -> Columns:
    """All rows of a journal as one batch. Rows of payments come twice in the rtdl lane: duplicates belong to the input."""
    whole = concat([record.columns for record in journal(name) if record.kind == BATCH and record.rows])
    again = np.flatnonzero(np.arange(rows(whole)) % 7 == 3)
    return concat([whole, take(whole, again)])


def play(name: str, cuts: Sequence[int]) -> tuple[list[Emission], list[bytes], LaneMachine]:
    """Fold the rows of a lane, cut into journal records at these places: emissions and states of the steps.

    All at the instant 0, before the first flush of changelog rows is due: these are coalesced by the clock.
    """
    whole, one = lane_rows(name), lane(name)
    edges = [0, *sorted({cut for cut in cuts if cut < rows(whole)}), rows(whole)]
    emissions: list[Emission] = []
    sequence = 0
    for start, stop in zip(edges, edges[1:], strict=False):
        batch = record(sequence, columns=take(whole, np.arange(start, stop)), n=stop - start)
        outcome = one.apply(replace(batch, wall_us=0).to_bytes())
        sequence += 1
        emissions += outcome.emissions
        if outcome.effects is not None:
            n = len(outcome.effects.idempotency_key)
            emissions += one.apply(replace(record(sequence, RESULT, answers(n), n), wall_us=0).to_bytes()).emissions
            sequence += 1
    return emissions, [written_without_versions(found.step) for found in wired(one)], one


def record(sequence: int, kind: str = BATCH, columns: Columns | None = None, n: int = 0, epoch: int = 0) -> JournalRecord:
    """A journal record of these columns."""
    return JournalRecord(0, epoch, sequence, kind, WALL_US, -1, CODE, config().digest, [], [], n, block_of(columns or {}))


def answers(n: int) -> Columns:
    """n answers of an effector."""
    return {
        "row.status": Strings.repeat(b"EXECUTED", n),
        "row.attempts": np.ones(n, np.int32),
        "row.reason": Strings.repeat(b"", n),
        "row.provider_ref": Strings.repeat(b"r", n),
    }


def in_effect(emissions: Sequence[Emission]) -> dict[str, Any]:
    """What was emitted, by topic, in order, without what names the batch."""
    found: dict[str, Any] = {}
    for handle, partitions, keys, values, _ in emissions:
        for partition, key, value in zip(partitions.tolist(), keys.tolist(), values.tolist(), strict=True):
            body = {name: field for name, field in unpack(value or b"")[1].items() if name not in ("basis", "row", "sequence")}
            found.setdefault(handle, []).append((partition, key, body))
    return found


@cache
def whole(name: str) -> tuple[dict[str, Any], list[bytes]]:
    """All rows in one batch."""
    emissions, states, _ = play(name, [])
    return in_effect(emissions), states


@pytest.mark.parametrize("name", ["rtdl", "act"])
@settings(max_examples=drawn(20), deadline=None)
@given(data=st.data())
def test_any_batch_split_gives_identical_emissions_and_state(name: str, data: st.DataObject) -> None:
    """Every step of the lane: states byte for byte but for row versions, emissions field by field."""
    cuts = data.draw(st.lists(st.integers(1, 200), max_size=8))
    emissions, states, _ = play(name, cuts)
    assert (in_effect(emissions), states) == whole(name)


@pytest.mark.parametrize("name", ["rtdl", "act"])
def test_a_state_read_back_goes_on_as_if_nothing_had_happened(name: str) -> None:
    everything, half = lane_rows(name), rows(lane_rows(name)) // 2
    one, other = lane(name), lane(name)
    first = record(0, columns=take(everything, np.arange(half)), n=half).to_bytes()
    second = record(1, columns=take(everything, np.arange(half, rows(everything))), n=rows(everything) - half).to_bytes()
    one.apply(first)
    for found, twin in zip(wired(one), wired(other), strict=True):
        twin.step.restore(read_back(found.step))
        assert written(twin.step) == written(found.step), found.name
    other.apply(record(0).to_bytes())
    assert in_effect(one.apply(second).emissions) == in_effect(other.apply(second).emissions)


# -- the journal's rules


def recover(values: Sequence[JournalRecord], code: bytes = CODE) -> LaneMachine:
    """A lane that has read these records."""
    found = lane(code=code)
    for value in values:
        found.recover(value.to_bytes())
    return found


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([record(1)], id="the first is missing"),
        pytest.param([record(0), record(2)], id="one is missing"),
        pytest.param([record(0), record(0)], id="one comes twice"),
        pytest.param([record(0), record(1, epoch=1)], id="an epoch without a claim"),
        pytest.param([record(0), record(2, CLAIM, epoch=1)], id="a claim beyond a missing record"),
        pytest.param([record(0), record(1, CLAIM, epoch=1), record(3, epoch=1)], id="one is missing after a claim"),
    ],
)
def test_a_tampered_journal_is_refused(records: list[JournalRecord]) -> None:
    with pytest.raises(Stop) as refused:
        recover(records)
    assert refused.value.reason is Reason.JOURNAL_SEQUENCE_GAP


@pytest.mark.parametrize("value", [b"", b"junk", mark(RTDL, 0, 0), record(0).to_bytes()[:-3]])
def test_bytes_that_are_no_journal_record_are_refused(value: bytes) -> None:
    with pytest.raises(AssayError):
        lane().recover(value)


def test_a_claim_that_did_not_know_the_last_record_is_void_and_bricks_nothing() -> None:
    """Two writers met: the new one appended behind a record it had not read, saw an unexpected offset and stopped."""
    one = recover([record(0, CLAIM, epoch=1), record(1, epoch=1), record(1, CLAIM, epoch=2), record(2, epoch=1)])
    one.unemitted()
    entry = one.claim_entry(WALL_US)
    assert (entry.sequence, JournalRecord.from_bytes(entry.value).epoch) == (3, 2)


# -- upgrades


def with_decisions(emitted_through: int) -> list[JournalRecord]:
    """A claim, a batch that decides, and a claim that says how far outputs are out."""
    batch = next(r for r in journal("rtdl") if r.kind == BATCH and r.rows)
    decided = replace(batch, epoch=1, sequence=1, code_digest=CODE, ranges=[], watermarks=[], emitted_through=-1)
    after = replace(record(2, CLAIM, epoch=2), emitted_through=emitted_through)
    return [record(0, CLAIM, epoch=1), decided, after]


def test_other_code_does_not_finish_a_tail_and_names_both() -> None:
    one = recover(with_decisions(emitted_through=0), OTHER_CODE)
    with pytest.raises(Stop) as refused:
        one.unemitted()
    assert refused.value.reason is Reason.CODE_DIGEST_MISMATCH
    assert CODE.hex()[:12] in str(refused.value)
    assert OTHER_CODE.hex()[:12] in str(refused.value)


def test_the_same_code_finishes_it() -> None:
    assert [sequence for sequence, _ in recover(with_decisions(emitted_through=0)).unemitted()] == [1]


def test_other_code_goes_on_at_a_clean_point_with_an_upgrade_record() -> None:
    one = recover(with_decisions(emitted_through=1), OTHER_CODE)
    assert list(one.unemitted()) == []
    upgrade = one.claim_entry(WALL_US)
    found = JournalRecord.from_bytes(upgrade.value)
    assert (found.kind, found.epoch, found.code_digest) == (UPGRADE, 3, OTHER_CODE)
    one.apply(upgrade.value)
    assert JournalRecord.from_bytes(one.claim_entry(WALL_US).value).kind == CLAIM, "the next one is no upgrade"


def test_other_code_does_not_ask_for_effects_that_it_did_not_start() -> None:
    batch = next(r for r in journal("act") if r.kind == BATCH and r.rows)
    started = replace(batch, epoch=1, sequence=1, code_digest=CODE, ranges=[], watermarks=[], emitted_through=-1)
    one = lane("act", OTHER_CODE)
    for value in (record(0, CLAIM, epoch=1), started):
        one.recover(value.to_bytes())
    with pytest.raises(Stop) as refused:
        one.unemitted()
    assert refused.value.reason is Reason.CODE_DIGEST_MISMATCH


# -- what comes in


def test_a_gap_in_the_input_stops_the_lane() -> None:
    one = lane()
    one.receive(chunk(TRAFFIC, [payment("a", 5)]))
    with pytest.raises(Stop) as stopped:
        one.receive(chunk(TRAFFIC, [payment("c", 6)], 2))
    assert stopped.value.reason is Reason.INPUT_GAP


def _junk(one: LaneMachine, first: int, n: int) -> None:
    one.receive(chunk(TRAFFIC, [b"junk"] * n, first))


def _junk_with_a_good_one(one: LaneMachine, first: int, n: int) -> None:
    one.receive(chunk(TRAFFIC, [*[b"junk"] * (n - 1), payment(f"good{first}", 5)], first))


@pytest.mark.parametrize(("feed", "stops"), [(_junk, True), (_junk_with_a_good_one, False)])
def test_a_flood_of_refusals_stops_the_lane_behind_what_it_journaled(
    feed: Callable[[LaneMachine, int, int], None],
    stops: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Instead of draining its input; a restart goes on behind the flood and does not meet it again."""
    monkeypatch.setattr(lane_module, "REFUSALS_IN_A_ROW_MAX", 50)
    one = lane()
    for first in (0, 30):
        feed(one, first, 30)
    assert one.wants((TRAFFIC, 0)) is not stops
    values: list[bytes] = []
    if not stops:
        assert one.next_entry(WALL_US) is not None
        return
    with pytest.raises(Stop) as stopped:
        values.extend(entry.value for entry in iter(lambda: one.next_entry(WALL_US), None))
    assert stopped.value.reason is Reason.TOO_MANY_REFUSALS
    assert "SCHEMA_UNKNOWN" in str(stopped.value)
    again = lane()
    for value in values:
        again.recover(value)
    assert again.position()[(TRAFFIC, 0)] == 60
