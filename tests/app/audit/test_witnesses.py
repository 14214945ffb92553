"""A chain that was computed anew is whole, and refuted all the same by the journal and by the bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from forged_chains import Change, forge
from gated_worlds import JOURNAL, config_over, gated, generated_world, simulated
from records import RTDL, chunk, decision, outcome

from assay.agents.step import Chunk
from assay.app.audit.verify import verify_chain
from assay.app.audit.witnesses import Witnesses, unfinished_of
from assay.app.replay.compare import decisions_of
from assay.app.replay.verify import recompute
from assay.app.report.evidence import AuditEvidence
from assay.app.run.directory import RunConfig
from assay.app.simulation.log import MemoryStore
from assay.app.stores.segment_journal import segment_key
from assay.codecs.audit_segment import SEGMENTS, decisions_in, read_segment
from assay.codecs.columns import Strings
from assay.codecs.single_object import unpack
from assay.tables.feature_plan import compile_plan

ROWS = 400


class Ran(NamedTuple):
    """A small run: its config, its store, and the values of its journal, its decisions and its audit records."""

    config: RunConfig
    objects: dict[str, bytes]
    journal: list[bytes]
    topic: list[bytes]
    audit: list[bytes]

    def store(self) -> MemoryStore:
        """A copy of the store, to be changed."""
        return MemoryStore(self.objects)

    def witnesses(self, **changes: Any) -> Witnesses:
        """Journal and bus of the run."""
        given = Witnesses(
            compile_plan(self.config.features),
            lambda: recompute(self.config, self.journal, 3),
            on_bus=lambda: iter([Strings.of(self.audit)]),
        )
        return given._replace(**changes)

    def verified(self, store: MemoryStore, **changes: Any) -> AuditEvidence:
        """What the audit says of a store."""
        return verify_chain(store, self.config.pins, witnesses=self.witnesses(**changes))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run of three lanes in the simulator."""
    world = generated_world(tmp_path_factory.mktemp("world"), "handbook", ROWS, 3)
    config = config_over(world, "handbook")
    simulator = simulated(gated(world, config, rows_per_mark=50), lanes=("rtdl", "act", "audit"))
    log, objects = simulator.log, simulator.store.objects
    return Ran(config, dict(objects), log.values(JOURNAL), log.values(RTDL), log.values("FP_BUS_AUDIT_V1"))


def test_an_untouched_chain_holds_the_decisions_of_the_journal_and_the_records_of_the_bus(ran: Ran) -> None:
    evidence = ran.verified(ran.store())
    assert (evidence.verified, evidence.problems) == (True, ())
    assert (evidence.records, evidence.recomputed, evidence.on_bus) == (ROWS, ROWS, ROWS)
    assert evidence.against == f"against {ROWS} audit records on the bus; {ROWS} decisions recomputed from the journal"


def test_decisions_are_read_from_audit_records_byte_for_byte(ran: Ran) -> None:
    held = [decisions_in(read_segment(ran.objects[key]).values).tolist() for key in ran.store().keys(SEGMENTS)]
    on_topic = decisions_of(Strings.of(ran.topic)).tolist()
    assert sorted(value or b"" for part in held for value in part) == sorted(value or b"" for value in on_topic)


def _reason(records: list[dict[str, Any]]) -> None:
    records[7]["decision"]["reasons"] = [*records[7]["decision"]["reasons"], "PLANTED"]


def _drop(records: list[dict[str, Any]]) -> None:
    del records[7]


def _swap_decisions(records: list[dict[str, Any]]) -> None:
    records[7]["decision"], records[8]["decision"] = records[8]["decision"], records[7]["decision"]


def _swap_records(records: list[dict[str, Any]]) -> None:
    for name in ("decision", "outcome"):
        records[7][name], records[8][name] = records[8][name], records[7][name]


def _twice(records: list[dict[str, Any]]) -> None:
    for name in ("decision", "outcome"):
        records[8][name] = records[7][name]


def _outcome(records: list[dict[str, Any]]) -> None:
    records[7]["outcome"]["status"] = "DENIED"


FORGERIES = [
    pytest.param(_reason, "reasons is", id="one reason changed"),
    pytest.param(_drop, "gives a decision that is not in the audit", id="a decision dropped"),
    pytest.param(_swap_decisions, "record 7 (audit record 7) joins a decision with the outcome of another", id="two decisions swapped"),
    pytest.param(_twice, "its decision is in the audit more than once", id="a decision twice"),
]
ON_BUS_ONLY = [
    pytest.param(_swap_records, "on the bus is not in the chain as it is there", id="two records swapped"),
    pytest.param(_outcome, "on the bus is not in the chain as it is there", id="an outcome changed"),
]


@pytest.mark.parametrize(("change", "words"), FORGERIES)
def test_a_forgery_in_a_chain_computed_anew_is_refuted_by_the_journal_and_named(ran: Ran, change: Change, words: str) -> None:
    store = ran.store()
    forge(store, change)
    evidence = ran.verified(store, on_bus=None)
    assert not evidence.verified
    assert any(words in problem for problem in evidence.problems), evidence.problems


@pytest.mark.parametrize(("change", "words"), [*FORGERIES, *ON_BUS_ONLY])
def test_a_forgery_is_refuted_by_the_bus_where_the_journal_is_truncated(ran: Ran, change: Change, words: str) -> None:
    store = ran.store()
    forge(store, change)
    evidence = ran.verified(store, plan=None, recomputed=None, unreached="the journal was truncated")
    assert not evidence.verified
    assert any("on the bus is not in the chain as it is there" in problem for problem in evidence.problems), evidence.problems
    assert evidence.against == f"against {ROWS} audit records on the bus; the journal was not asked: the journal was truncated"


def test_the_event_of_a_forged_decision_is_named_with_its_place_in_the_journal_and_both_values(ran: Ran) -> None:
    store = ran.store()
    records = [unpack(value)[1] for value in ran.audit]
    forged = next(record for record in records if record["sequence"] == 7)["decision"]
    forge(store, _reason)
    place = f"event {forged['source_event']['event_id']}: journal record {forged['basis']['sequence']} row {forged['row']}"
    first = ran.verified(store).problems[0]
    assert first == f"{place}: reasons is {forged['reasons']!r} recomputed, {[*forged['reasons'], 'PLANTED']!r} in the audit"


def test_without_journal_and_bus_a_forged_chain_is_whole_and_the_verdict_says_that_only_the_chain_was_checked(ran: Ran) -> None:
    store = ran.store()
    forge(store, _reason)
    evidence = ran.verified(store, plan=None, recomputed=None, on_bus=None, unreached="Kafka does not answer")
    assert evidence.verified
    assert (evidence.recomputed, evidence.on_bus) == (None, None)
    assert evidence.against == "only the chain was checked: Kafka does not answer"


def test_a_decision_that_waits_for_its_action_is_not_missing(ran: Ran) -> None:
    store = ran.store()
    waiting = next(record for value in ran.audit if (record := unpack(value)[1])["sequence"] == ROWS - 1)["decision"]["decision_id"]
    forge(store, lambda records: records.pop())
    audit = [value for value in ran.audit if unpack(value)[1]["sequence"] != ROWS - 1]

    def unfinished() -> Iterator[Strings]:
        values = decisions_of(Strings.of(ran.topic))
        yield values.take(np.flatnonzero([unpack(value or b"")[1]["decision_id"] == waiting for value in values.tolist()]))

    assert ran.verified(store, unfinished=unfinished, on_bus=lambda: iter([Strings.of(audit)])).problems == ()
    assert ran.verified(store, on_bus=None).problems != ()


def test_decisions_without_an_outcome_on_the_topic_are_unfinished() -> None:
    def read() -> list[Chunk]:
        return [chunk(RTDL, [decision("a"), decision("b"), outcome("a")]), chunk(RTDL, [outcome("c"), decision("c"), decision("d")], 3)]

    found = [value for values in unfinished_of(read) for value in values.tolist()]
    assert found == [decision("b"), decision("d")]


def test_a_damaged_segment_is_named_before_what_it_no_longer_holds(ran: Ran) -> None:
    store = ran.store()
    key = segment_key(0)
    store.objects[key] = store.objects[key][:-5]
    evidence = ran.verified(store)
    assert evidence.problems[0].startswith(f"{key}: ")
    assert any("gives a decision that is not in the audit" in problem for problem in evidence.problems)
