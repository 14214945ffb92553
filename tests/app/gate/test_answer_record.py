"""What is told of an answer is what its record holds, whichever call asks."""

from __future__ import annotations

from typing import Any

import pytest
from gate_events import SCOPE
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from assay.app.gate.answer_record import DECISION, FALLBACK, RECORD, Asked, Said, record_of, said_by, said_without, told
from assay.app.gate.reason_words import ReasonWords
from assay.app.run.directory import Run
from assay.app.simulation.lanes import KeyedEffector, simulated_lanes
from assay.app.simulation.simulator import Simulator
from assay.app.warm.kernels import PARTITIONS
from assay.app.warm.world import config_of, world
from assay.codecs.single_object import pack, unpack
from assay.contracts import instants
from assay.contracts.canonical import document_digest
from assay.contracts.handles import RTDL
from assay.contracts.outcomes import OUTCOMES
from assay.contracts.pins import PIN_NAMES, Pins
from assay.tables.decisions import decision_json
from assay.tables.feature_document import parse_document

PINS = Pins(**{name: SCOPE[name] for name in PIN_NAMES}).as_avro()  # type: ignore[arg-type]
RULES = {"policy_id": "shop", "revision": "2", "fallback": {"outcome": "DECLINE"}}
texts = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.sampled_from(OUTCOMES), st.integers(-(2**63), 2**63 - 1), st.lists(st.tuples(texts, texts), max_size=3), st.integers(0, 10**9))
def test_a_record_that_was_on_the_bus_tells_what_was_told_first(
    outcome: str, score: int, reasons: list[tuple[str, str]], latency_us: int
) -> None:
    policy = {"policy_id": "p", "revision": "1", "content_digest": bytes(32)}
    record = record_of(PINS, Asked("pay-1", "ADMIT", "r", 300, latency_us, 1), Said(DECISION, outcome, score, reasons, "ab" * 16, policy))
    kept = unpack(pack(RECORD, record))[1]
    assert told(kept, "ADMIT") == told(record, "ADMIT")
    first, again = told(kept, "ADMIT"), told(kept, "DUPLICATE")
    assert (first.admission, again.admission, again.outcome, again.latency_ms) == ("ADMIT", "DUPLICATE", outcome, latency_us / 1_000)
    assert (first.score, first.decision_id, [(one.code, one.words) for one in first.reasons]) == (score, "ab" * 16, reasons)


def test_a_fallback_has_no_score_and_no_decision_and_names_the_rules_that_gave_it() -> None:
    record = record_of(PINS, Asked("pay-1", "ADMIT", "r", 50, 51_000, 1_767_225_600_000_000), said_without(RULES))
    assert record["policy"]["content_digest"] == document_digest(RULES)
    answer = told(unpack(pack(RECORD, record))[1], "ADMIT")
    assert (answer.answered, answer.outcome, answer.score, answer.decision_id) == (FALLBACK, "DECLINE", UNSET, UNSET)
    assert (answer.policy.policy_id, answer.policy.revision, answer.deadline_ms) == ("shop", "2", 50)
    assert (answer.answered_at_utc, answer.receipt_id) == (instants.text(1_767_225_600_000_000), "r")


@pytest.fixture(scope="module", params=["workload_w", "handbook"])
def decided(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Run, list[bytes]]:
    """A run and the decisions of its small world; the features of one policy are all whole numbers."""
    config = config_of(request.param)
    log = world(config, PARTITIONS)
    Simulator(simulated_lanes(config, PARTITIONS, KeyedEffector().execute), log).run()
    run = Run(directory=tmp_path_factory.mktemp("run"), config=config, bootstrap="", dsn="")
    return run, [value for value in log.values(RTDL) if unpack(value)[0] == "decision_response"]


def test_a_decision_from_the_bus_is_told_as_the_one_that_the_worker_gives(decided: tuple[Run, list[bytes]]) -> None:
    run, values = decided
    words, document = ReasonWords(run), parse_document(run.config.features)
    for value in values:
        row: dict[str, Any] = words.row_of(value)
        whole = decision_json(unpack(value)[1], document)
        assert {name: whole[name] for name in row} == row
        assert said_by(row, words.of(row)) == said_by(whole, words.of(whole))


def test_every_reason_of_a_decision_has_words(decided: tuple[Run, list[bytes]]) -> None:
    run, values = decided
    words = ReasonWords(run)
    rows = [words.row_of(value) for value in values]
    assert not words.knows(rows[0])
    said = [said_by(row, words.of(row)) for row in rows]
    assert words.knows(rows[0])
    assert any(one.reasons for one in said)
    assert all(text and "no longer at hand" not in text and "not a rule" not in text for one in said for _, text in one.reasons)
    assert all(one.decision_id and one.policy["content_digest"] == document_digest(run.config.policy) for one in said)


def test_what_is_told_without_a_decision_follows_the_rules_in_force(decided: tuple[Run, list[bytes]]) -> None:
    words = ReasonWords(decided[0])
    first = words.without()
    assert words.without() is first
    words.in_force = {**RULES, "revision": "3"}
    assert (first.policy["content_digest"], words.without()) == (document_digest(decided[0].config.policy), said_without(words.in_force))
