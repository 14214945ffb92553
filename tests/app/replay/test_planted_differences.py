"""What a replay finds: one altered cell, threshold or journal row, one decision too few or too many, each named; a repeat is none."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from gated_worlds import JOURNAL, config_over, gated, generated_world, simulated

from assay.app.replay.compare import DIFFERENCES_SHOWN, Comparison, compare, decisions_of
from assay.app.replay.verify import Recomputed, findings, recompute
from assay.app.run.directory import RunConfig
from assay.app.simulation.faults import Planted, Reorder
from assay.codecs.columns import Strings
from assay.codecs.columns_bytes import block_of
from assay.codecs.journal_record import JournalRecord
from assay.codecs.single_object import pack, unpack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.tables.feature_plan import compile_plan

ROWS = 400


class Ran(NamedTuple):
    """A small run: its config, its journal and the values of its decision topic."""

    config: RunConfig
    journal: list[bytes]
    topic: list[bytes]


class Verdict(NamedTuple):
    """What a replay says."""

    result: Comparison
    differences: Sequence[str]
    digest: str


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run in the simulator."""
    world = generated_world(tmp_path_factory.mktemp("world"), "handbook", ROWS, 3)
    config = config_over(world, "handbook")
    log = simulated(gated(world, config, rows_per_mark=50), [Planted(Reorder(40))]).log
    decisions = decisions_of(Strings.of(log.values("FP_BUS_RTDL_V1"))).tolist()
    return Ran(config, log.values(JOURNAL), [value for value in decisions if value is not None])


def replay(ran: Ran) -> Verdict:
    """Recompute and compare, as `assay replay --verify` does with what it read from the bus."""
    found = Recomputed()
    passes = iter((found,))
    result = compare(
        lambda: recompute(ran.config, ran.journal, 3, next(passes, None)),
        lambda: iter([Strings.of(ran.topic)]),
        compile_plan(ran.config.features),
    )
    return Verdict(result, findings(result, found), found.digest.hexdigest())


def altered(ran: Ran, row: int, change: Callable[[dict[str, Any]], object]) -> Ran:
    """The run with one decision on the topic changed."""
    record = unpack(ran.topic[row])[1]
    change(record)
    return ran._replace(topic=[*ran.topic[:row], pack("decision_response", record), *ran.topic[row + 1 :]])


def event_of(ran: Ran, row: int) -> str:
    return str(unpack(ran.topic[row])[1]["source_event"]["event_id"])


def test_an_untouched_run_has_no_difference(ran: Ran) -> None:
    verdict = replay(ran)
    assert verdict.result == Comparison(ROWS, ROWS, 0, 0, ())
    assert verdict.differences == ()


def test_a_feature_cell_changed_on_the_topic_is_named(ran: Ran) -> None:
    plan = compile_plan(ran.config.features)
    index = plan.long_names.index("customer_count_7d")

    def change(record: dict[str, Any]) -> None:
        record["features"]["longs"][index] += 1

    before = unpack(ran.topic[123])[1]
    place = f"journal record {before['basis']['sequence']} row {before['row']}"
    value = before["features"]["longs"][index]
    verdict = replay(altered(ran, 123, change))
    assert verdict.result.differing == 1
    line = f"event {event_of(ran, 123)}: {place}: feature customer_count_7d is {value} recomputed, {value + 1} on the topic"
    assert verdict.differences == (line,)


def test_the_last_bit_of_a_real_feature_is_found(ran: Ran) -> None:
    plan = compile_plan(ran.config.features)
    index = plan.double_names.index("customer_mean_30d")

    def change(record: dict[str, Any]) -> None:
        record["features"]["doubles"][index] = float(np.nextafter(record["features"]["doubles"][index], np.inf))

    verdict = replay(altered(ran, 7, change))
    assert verdict.result.differing == 1
    assert "feature customer_mean_30d is" in verdict.differences[0]
    assert event_of(ran, 7) in verdict.differences[0]


def change_score(record: dict[str, Any]) -> None:
    record["score"] += 1


def change_outcome(record: dict[str, Any]) -> None:
    record["outcome"] = "DECLINE" if record["outcome"] != "DECLINE" else "ALLOW"


def change_reasons(record: dict[str, Any]) -> None:
    record["reasons"] = [*record["reasons"], "PLANTED"]


def change_posture(record: dict[str, Any]) -> None:
    record["posture"]["posture_seq"] += 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (change_score, "score is"),
        (change_outcome, "outcome is"),
        (change_reasons, "reasons is"),
        (change_posture, "posture.posture_seq is"),
    ],
)
def test_a_field_changed_on_the_topic_is_named(ran: Ran, change: Callable[[dict[str, Any]], object], field: str) -> None:
    verdict = replay(altered(ran, 40, change))
    assert verdict.result.differing == 1
    assert event_of(ran, 40) in verdict.differences[0]
    assert field in verdict.differences[0]


def test_a_rule_threshold_changed_after_the_run_is_named_with_both_config_digests(ran: Ran) -> None:
    policy = copy.deepcopy(ran.config.policy)
    policy["thresholds"]["DECLINE"] += 1
    config = ran.config.model_copy(update={"policy": policy})
    verdict = replay(ran._replace(config=config))
    assert verdict.result.differing == ROWS
    assert ran.config.digest.hex()[:16] in verdict.differences[0]
    assert config.digest.hex()[:16] in verdict.differences[0]
    assert "thresholds.DECLINE" not in verdict.differences[0]
    assert "a feature, rule, threshold or policy was changed" in verdict.differences[0]


def journal_row(ran: Ran, wanted: int) -> tuple[int, int, JournalRecord]:
    """(index in the journal, row, record) of the wanted-th payment that was journaled."""
    for index, value in enumerate(ran.journal):
        record = JournalRecord.from_bytes(value)
        if record.kind != "BATCH" or not record.rows:
            continue
        rows = np.flatnonzero(record.columns["row.kind"] == 4)
        if wanted < len(rows):
            return index, int(rows[wanted]), record
        wanted -= len(rows)
    raise AssertionError("no such payment in the journal")


def test_an_amount_changed_in_the_journal_is_found_at_the_events_it_reaches(ran: Ran) -> None:
    index, row, record = journal_row(ran, 200)
    columns = record.columns
    amounts = np.array(columns["row.amount_minor"])
    amounts[row] += 1
    changed = replace(record, block=block_of({**columns, "row.amount_minor": amounts}))
    event = columns["row.event_id"].row(row).decode()  # type: ignore[union-attr]
    verdict = replay(ran._replace(journal=[*ran.journal[:index], changed.to_bytes(), *ran.journal[index + 1 :]]))
    assert verdict.result.differing >= 1
    assert verdict.differences[0].startswith(f"event {event}: journal record {record.sequence} row "), (
        "in processing order, so the cause is first"
    )
    assert "feature customer_mean_1d is" in verdict.differences[0]


def test_a_journal_record_that_is_missing_is_refused(ran: Ran) -> None:
    with pytest.raises(Stop) as stop:
        replay(ran._replace(journal=[*ran.journal[:2], *ran.journal[3:]]))
    assert stop.value.reason is Reason.JOURNAL_SEQUENCE_GAP


def test_a_decision_missing_on_the_topic_is_named(ran: Ran) -> None:
    verdict = replay(ran._replace(topic=[*ran.topic[:9], *ran.topic[10:]]))
    assert verdict.result.differing == 1
    assert verdict.differences[0].startswith(f"event {event_of(ran, 9)}: journal record ")
    assert verdict.differences[0].endswith("gives a decision that is not on the topic")


def test_a_decision_the_journal_does_not_give_is_named(ran: Ran) -> None:
    record = unpack(ran.topic[5])[1]
    record["source_event"]["event_id"] = "planted"
    verdict = replay(ran._replace(topic=[*ran.topic, pack("decision_response", record)]))
    assert verdict.result.differing == 1
    assert verdict.differences == ("event planted: on the topic, but the journal does not give it",)


def test_a_second_other_decision_of_one_event_is_a_difference(ran: Ran) -> None:
    record = unpack(ran.topic[5])[1]
    record["score"] += 5
    verdict = replay(ran._replace(topic=[*ran.topic, pack("decision_response", record)]))
    assert verdict.result.differing == 1
    assert verdict.differences[0].startswith(f"event {event_of(ran, 5)}: ")
    assert "score is" in verdict.differences[0]


def test_a_byte_identical_repeat_is_no_difference(ran: Ran) -> None:
    verdict = replay(ran._replace(topic=[*ran.topic, *ran.topic[100:103]]))
    assert verdict.result == Comparison(ROWS, ROWS + 3, 3, 0, ())
    assert verdict.differences == ()


def test_an_event_swapped_for_another_is_two_differences_and_counted_as_such(ran: Ran) -> None:
    verdict = replay(altered(ran, 5, lambda given: given["source_event"].update(event_id="planted")))
    assert verdict.result.differing == 2
    assert len(verdict.differences) == 2


def test_a_decision_that_is_another_when_it_is_read_again_is_a_difference(ran: Ran) -> None:
    record = unpack(ran.topic[5])[1]
    record["score"] += 5
    passes = iter([[*ran.topic, pack("decision_response", record)]])
    result = compare(
        lambda: recompute(ran.config, ran.journal, 3),
        lambda: iter([Strings.of(next(passes, ran.topic))]),
        compile_plan(ran.config.features),
    )
    assert (result.differing, result.differences) == (1, ("1 decisions on the topic were others when they were read again",))


def test_many_differences_are_paired_and_counted_although_few_are_shown(ran: Ran) -> None:
    """The topic's order is another one than the journal's."""
    topic = [unpack(value)[1] for value in reversed(ran.topic)]
    for record in topic:
        record["score"] += 1
    verdict = replay(ran._replace(topic=[pack("decision_response", record) for record in topic]))
    assert verdict.result.differing == ROWS
    assert len(verdict.differences) == DIFFERENCES_SHOWN
    assert all("score is" in line for line in verdict.differences)


def test_other_code_that_gives_the_same_bytes_is_no_difference_but_is_named_beside_one(ran: Ran) -> None:
    journal = [replace(JournalRecord.from_bytes(value), code_digest=b"\1" * 32).to_bytes() for value in ran.journal]
    assert replay(ran._replace(journal=journal)).differences == ()
    verdict = replay(ran._replace(journal=journal, topic=ran.topic[1:]))
    assert verdict.differences[0].startswith(f"code {'01' * 8} journaled the run")
