"""A gate's process that dies at each step of admission, and a broker that answers too late: what the bus holds is admitted with a receipt,
and nothing else is published before an operator lets it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from gate_events import NOW_US, SCOPE, event, paid, raw
from gate_process import run_in
from lost_batches import POLICY, Looking, OneProcess, older

from assay.app.bus.topic_reader import read_records
from assay.app.gate.admission import Examiner
from assay.app.gate.bus_search import BusSearch
from assay.app.gate.group import Group
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.resolve_run import PROCESS, settle
from assay.app.gate.resolving import EVIDENCE_AFTER_S
from assay.app.gate.spool import log_of, unsealed
from assay.app.gate.unsettled import Unsettled, unknown_events
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.codecs.single_object import unpack
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

pytestmark = pytest.mark.tier2
EVENTS = [event(f"e-{at}") for at in range(3)] + [event("c-0", "context_fact")]


@pytest.fixture
def run(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Run:
    return run_in(tmp_path / "run", kafka.address, dsn, namespace)


def on_bus(run: Run) -> Counter[str]:
    found: Counter[str] = Counter()
    for handle in ("FP_BUS_TRAFFIC_FRAUD_V1", "FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1"):
        found.update(unpack(one.value or b"")[1]["event_id"] for one in read_records(run.bootstrap, handle, run.namespace))
    return found


def receipts(run: Run) -> dict[str, set[str]]:
    """Event id → its receipt ids, of all processes."""
    found: dict[str, set[str]] = {}
    for process in ("", "p1", "resolve"):
        for data in unsealed(run.directory, log_of(RECEIPTS, process)):
            for line in data.splitlines():
                one = json.loads(line)
                found.setdefault(one["event_id"], set()).add(one["receipt_id"])
    return found


def states(run: Run) -> Counter[str]:
    with psycopg.connect(run.dsn) as connection:
        return Counter(dict(connection.execute("SELECT state, count(*)::int FROM ig_admissions GROUP BY state").fetchall()))


def unknown(run: Run) -> int:
    with psycopg.connect(run.dsn) as connection:
        return unknown_events(connection, run.platform_run_id)


ALL = range(len(EVENTS))


@pytest.mark.parametrize(
    ("published", "receipted", "settled"),
    [
        pytest.param((), False, False, id="between insert and publish"),
        pytest.param((0, 3), False, False, id="in the middle of publishing"),
        pytest.param(ALL, False, False, id="between publish and receipt"),
        pytest.param(ALL, True, False, id="between receipt and ADMITTED"),
        pytest.param((1,), True, True, id="alive, and the bus told of one event only"),
    ],
)
def test_after_each_step_the_bus_tells_what_is_admitted_and_the_rest_is_sent_again_once(
    run: Run, published: Sequence[int], receipted: bool, settled: bool
) -> None:
    one = OneProcess(run)
    group = one.claim(EVENTS)
    one.publish(group, published)
    if receipted:
        one.write_receipts(group)
    if settled:
        one.settle(group)
    one.die()
    missing = len(EVENTS) - len(published)
    assert unknown(run) == (missing if settled else len(EVENTS))
    later = OneProcess(run)
    assert not later.claim(EVENTS).published(), "nothing is published again by itself"
    assert Looking(run).look()[1:4] == (0, 0, missing if settled else 0), "no evidence is complete"
    older(run)
    seen = Looking(run).look()
    assert (seen.found, seen.absent, seen.waiting) == (0 if settled else len(published), missing, 0)
    assert states(run) == Counter({"ADMITTED": len(published), "AMBIGUOUS": missing})
    assert {name: len(ids) for name, ids in receipts(run).items()} == {EVENTS[i]["event_id"]: 1 for i in published}
    assert not later.claim(EVENTS).published(), "an operator has to look"
    assert Looking(run).resolver.release("an operator") == missing
    again = later.claim(EVENTS)
    later.publish(again, ALL)
    later.write_receipts(again)
    later.settle(again)
    assert on_bus(run) == Counter(e["event_id"] for e in EVENTS)
    assert (states(run), unknown(run)) == (Counter({"ADMITTED": len(EVENTS)}), 0)
    assert {name: len(ids) for name, ids in receipts(run).items()} == {e["event_id"]: 1 for e in EVENTS}
    assert Looking(run).look().is_settled


def test_what_was_released_and_lost_again_is_found_again(run: Run) -> None:
    one = OneProcess(run)
    one.claim(EVENTS)
    one.die()
    older(run)
    looking = Looking(run)
    assert looking.look().absent == len(EVENTS)
    looking.resolver.release("an operator")
    other = OneProcess(run, 1)
    other.publish(other.claim(EVENTS), (0, 1))
    other.die()
    older(run)
    seen = Looking(run).look()
    assert (seen.found, seen.absent) == (2, 2)
    assert sum(on_bus(run).values()) == 2


def test_a_record_of_another_payload_under_the_same_id_is_no_evidence(run: Run) -> None:
    """As one that came past the gate: what was claimed is not on the bus."""
    stranger, one = OneProcess(run, 1), OneProcess(run)
    other = Group([Examiner(POLICY, SCOPE).examine(raw(event("e-0", payload=paid(amount_minor=9))), NOW_US, 0)], 1)
    other.gather({})
    stranger.publisher.bounds({"FP_BUS_TRAFFIC_FRAUD_V1"})
    one.claim(EVENTS[:1])
    stranger.publish(other, ALL)
    one.die()
    older(run)
    seen = Looking(run).look()
    assert (seen.found, seen.absent) == (0, 1)
    assert receipts(run) == {}


def test_a_batch_is_lost_when_its_process_is_dead_or_has_forgotten_it_and_not_before(run: Run) -> None:
    one = OneProcess(run)
    first = one.claim(EVENTS[:1])
    older(run)
    assert Looking(run).look().in_flight == 1, "its process lives, whatever the age of the batch"
    assert Looking(run, one, [first.batch]).look().in_flight == 0, "it is on its way in this process"
    assert states(run) == Counter({"IN_FLIGHT": 1})
    assert Looking(run, one).look()[:4] == (0, 0, 1, 0), "this process has forgotten it"
    second = one.claim(EVENTS[1:2])
    one.index.close()
    assert one.claim(EVENTS[2:3]).batch >> 32 > second.batch >> 32, "a new connection is a new epoch"
    older(run)
    assert Looking(run).look().absent == 2, "the lock of the old epoch was free"


def test_a_process_that_took_the_place_of_a_dead_one_need_not_admit_anything_for_that_to_be_known(run: Run) -> None:
    one, successor = OneProcess(run), OneProcess(run)
    group = one.claim(EVENTS)
    one.publish(group, (0, 1))
    one.die()
    successor.index.ready()
    older(run)
    seen = Looking(run).look()
    assert (seen.found, seen.absent, seen.in_flight) == (2, len(EVENTS) - 2, 0)


def test_a_clock_that_jumps_makes_evidence_neither_early_nor_late(run: Run) -> None:
    """The clock of the database, by which batches begin: an hour ahead, then an hour back."""
    now_s = [1_000.0]
    looking, one = Looking(run, now_s=lambda: now_s[0]), OneProcess(run)
    assert looking.look().is_settled
    one.claim(EVENTS[:1])
    one.die()
    older(run, 3_600)
    for later_s, waits in ((1.0, True), (EVIDENCE_AFTER_S + 0.5, True), (EVIDENCE_AFTER_S + 1.5, False)):
        now_s[0] = 1_000.0 + later_s
        seen = looking.look()
        assert (seen.in_flight, seen.absent) == ((1, 0) if waits else (0, 1)), later_s
    other = OneProcess(run, 1)
    other.claim(EVENTS[1:2])
    other.die()
    older(run, -3_600)
    fresh = Looking(run, now_s=lambda: now_s[0])
    assert fresh.look().in_flight == 1
    now_s[0] += EVIDENCE_AFTER_S + 0.5
    assert (fresh.look().in_flight, looking.look().absent) == (0, 2)


def test_a_mark_waits_for_what_any_process_has_begun_and_is_refused_while_nobody_knows(run: Run) -> None:
    one = OneProcess(run, 1)
    group = one.claim(EVENTS)
    index = AdmissionIndex(run.sql_of_gate)
    with pytest.raises(Retry) as waits:
        Unsettled(index, run.platform_run_id, patience_s=0.1).wait()
    assert waits.value.reason is Reason.ADMISSION_IN_FLIGHT
    one.publish(group, (0, 1, 2))
    one.settle(group)
    with pytest.raises(Retry) as refused:
        Unsettled(index, run.platform_run_id).wait()
    assert (refused.value.reason, "1 event" in refused.value.what) == (Reason.ADMISSION_AMBIGUOUS, True)
    older(run)
    Looking(run).look()
    Looking(run).resolver.release("an operator")
    Unsettled(index, run.platform_run_id).wait()


def test_an_epoch_is_over_when_its_process_is_dead_and_all_it_began_is_settled(run: Run) -> None:
    one, other = OneProcess(run), OneProcess(run, 1)
    for process in (one, other):
        group = process.claim(EVENTS[:2] if process is one else EVENTS[2:])
        process.publish(group, ALL)
        process.settle(group)
    one.die()
    older(run, 3_600)
    Looking(run).look()
    with psycopg.connect(run.dsn) as connection:
        assert connection.execute("SELECT process FROM ig_epochs JOIN ig_ended USING (epoch)").fetchall() == [(0,)]


def test_the_bus_is_read_from_where_the_batch_began(run: Run) -> None:
    """What was acknowledged before is not read again: a run may have a long history."""
    one = OneProcess(run)
    before = one.claim([event(f"old-{at}") for at in range(30)])
    one.publish(before, range(30))
    one.publisher.reached("FP_BUS_TRAFFIC_FRAUD_V1", before.publication.places)
    one.settle(before)
    group = one.claim(EVENTS[:1])
    one.publish(group, ALL)
    one.die()
    with psycopg.connect(run.dsn) as connection:
        row = connection.execute("SELECT bounds FROM ig_begun WHERE batch = %s", (group.batch,)).fetchone()
    assert row is not None
    firsts = json.loads(row[0])
    search = BusSearch(run, {handle: event_class for event_class, handle in POLICY.topics.items()})
    seen = [one.event_id for part in search.events(firsts, search.ends(list(firsts))) for one in part]
    assert seen == ["e-0"]


def test_receipts_that_a_command_wrote_have_a_row_in_the_index(run: Run) -> None:
    one = OneProcess(run)
    one.publish(one.claim(EVENTS[:2]), ALL)
    one.die()
    older(run)
    assert settle(run, "").found == 2
    (key,) = run.store.keys(log_of(RECEIPTS, PROCESS))
    with psycopg.connect(run.dsn) as connection:
        assert connection.execute("SELECT key, lines FROM ig_segments").fetchall() == [(key, 2)]
