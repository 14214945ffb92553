"""A label that a lane reads before its payment waits for it under `arrival`: it counts once, and none is lost while the lane lags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random

import pytest
from arrival_lane import ArrivalLane
from effort import drawn, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from records import CONTROL, LABELS, POSTURE, T0_US, TRAFFIC, label, payment, posture, run_ready
from simulated_worlds import config

from assay.agents.early_labels import BYTES_MAX, WAIT_US
from assay.agents.lane import LaneMachine
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.simulation.faults import Crash, Delay, Duplicate, Freeze, Planted, Reorder
from assay.app.simulation.lanes import KeyedEffector, simulated_lane
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.snapshots.taking import SnapshotPace
from assay.codecs.columns import Strings
from assay.codecs.journal_record import TICK, JournalRecord
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import unpack
from assay.codecs.table_state import blocks
from assay.contracts.handles import QUARANTINE

S_US = 1_000_000
CARD = {"customer": "c", "terminal": "t"}


def paid(name: str, at_s: int = 0, entities: Mapping[str, str] = CARD) -> bytes:
    return payment(name, T0_US + at_s * S_US, entities=entities)


def fraud(name: str, at_s: int = 1, subject_at_s: int = 0, told: str = "") -> bytes:
    """A label that says fraud of a payment."""
    return label(told or f"l-{name}", T0_US + at_s * S_US, name, T0_US + subject_at_s * S_US)


#: the windows of a terminal are read as of a week before
END_S = 8 * 86_400


def counted(one: ArrivalLane) -> int:
    """Frauds that a payment of the terminal sees when the labels are old enough."""
    one.fold({TRAFFIC: [paid("end", END_S)]})
    del one.decisions[-1]
    return frauds(one.lane)


def frauds(machine: LaneMachine) -> int:
    """Frauds in the widest window of the terminal."""
    row = machine.table("features").row("terminal:t")
    return max((window.get("fraud_count", 0) for window in row["windows"].values()), default=0) if row else 0


# -- one lane, by hand


@pytest.mark.parametrize("together", [True, False])
def test_a_label_read_before_its_payment_counts_in_the_decision_after_it(together: bool) -> None:
    one = ArrivalLane()
    inputs: list[dict[str, Sequence[bytes]]] = [{LABELS: [fraud("p")]}, {TRAFFIC: [paid("p"), paid("q", 2)]}]
    for given_now in [{LABELS: inputs[0][LABELS], TRAFFIC: inputs[1][TRAFFIC]}] if together else inputs:
        one.fold(given_now)
    assert (counted(one), one.letters, len(one.decisions)) == (1, [], 2)


def test_a_label_whose_payment_never_comes_is_a_dead_letter_when_its_time_has_come_and_no_earlier() -> None:
    one = ArrivalLane()
    one.fold({LABELS: [fraud("nobody")]})
    one.fold({TRAFFIC: [paid("p")]}, WAIT_US - S_US)
    assert one.letters == []
    tick = one.lane.next_entry(one.wall_us + S_US)
    assert tick is not None
    assert JournalRecord.from_bytes(tick.value).kind == TICK
    one._folded(tick)
    assert one.letters == ["LABEL_WAITED_IN_VAIN"]
    one.fold({TRAFFIC: [paid("nobody", 5)]})
    assert (counted(one), one.letters, len(one.decisions)) == (0, ["LABEL_WAITED_IN_VAIN"], 2)
    one.fold({LABELS: [fraud("nobody")]})
    assert one.letters == ["LABEL_WAITED_IN_VAIN"], "the same label is a repeat, as the gate says of it"
    one.fold({LABELS: [fraud("nobody", 10, 5, told="known later")]})
    assert counted(one) == 1, "the label that the letter asks for"


def test_a_label_that_came_twice_counts_once() -> None:
    one = ArrivalLane()
    one.fold({LABELS: [fraud("p"), fraud("p"), fraud("p", told="another")]})
    one.fold({TRAFFIC: [paid("p")]})
    one.fold({LABELS: [fraud("p")]})
    assert (counted(one), one.letters) == (1, [])


def test_a_refusal_names_its_own_record_when_a_label_goes_on_before_it() -> None:
    """The label goes on in the middle of a record: rows behind it are refused under their own place."""
    one = ArrivalLane()
    one.fold({LABELS: [fraud("p")], TRAFFIC: [paid("a")]})
    other = payment("a", T0_US, 7, CARD, payload="another")
    letters = [e for e in one.fold({TRAFFIC: [paid("p"), paid("q", 1), other]}) if e.handle == QUARANTINE]
    (letter,) = (unpack(value or b"")[1] for e in letters for value in e.values.tolist())
    assert (letter["reason"], letter["offset"]) == ("PAYLOAD_HASH_MISMATCH", 3)


def test_a_state_with_labels_that_wait_is_read_back_and_one_without_is_as_before() -> None:
    one = ArrivalLane()
    one.fold({TRAFFIC: [paid("a")]})
    empty = b"".join(blocks(one.steps()["dedupe"].state()))
    assert b"early" not in empty
    one.fold({LABELS: [fraud("p")]})
    one.restart()
    assert one.lane._release_us == one.wall_us + WAIT_US
    one.fold({TRAFFIC: [paid("p")]})
    assert one.steps()["dedupe"].state().header.keys() >= {"base"}, "nothing waits"
    assert counted(one) == 1


def test_under_event_time_the_watermarks_have_ordered_labels_and_none_waits() -> None:
    one = ArrivalLane(ordering="event_time")
    assert one.step("dedupe")._early is None


def test_the_memory_of_labels_that_wait_is_bounded() -> None:
    one = ArrivalLane()
    one.step("dedupe")._early._held.bytes_max = 5_000
    one.fold({LABELS: [fraud(f"p{number}") for number in range(20)]})
    held = len(one.step("dedupe")._early._held)
    assert 0 < held < 20
    assert one.letters == ["LABEL_WAITED_IN_VAIN"] * (20 - held), "those that were held first go on"
    assert BYTES_MAX < 2**27


def test_a_lane_that_goes_on_after_more_than_an_hour_sets_labels_aside_before_their_payments_and_says_so() -> None:
    one = ArrivalLane()
    one.fold({LABELS: [fraud("p")]})
    one.restart()
    one.fold({TRAFFIC: [paid("p")]}, 2 * WAIT_US)
    assert one.letters == ["LABEL_WAITED_IN_VAIN"]
    one.fold({LABELS: [fraud("p", 10, told="posted again")]})
    assert counted(one) == 1


def test_a_label_that_came_twice_and_waits_in_vain_is_one_dead_letter() -> None:
    one = ArrivalLane()
    one.fold({LABELS: [fraud("nobody"), fraud("nobody")]})
    letters = [e for e in one.fold({TRAFFIC: [paid("p")]}, WAIT_US) if e.handle == QUARANTINE]
    (letter,) = (unpack(value or b"")[1] for e in letters for value in e.values.tolist())
    assert (letter["reason"], letter["offset"]) == ("LABEL_WAITED_IN_VAIN", 0)
    assert letter["detail"].endswith("If its payment was admitted, post the label again, with a later known_at")


# -- any order in which a lane reads what was published


@settings(max_examples=drawn(30), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 12))
def test_every_label_counts_once_however_far_labels_are_ahead_of_payments(seed: int, payments: int, size: int) -> None:
    one, random = ArrivalLane(), Random(seed)
    traffic = [paid(f"p{n}", n) for n in range(payments)]
    told = sorted(random.sample(range(payments), random.randint(1, payments)))
    labels = [fraud(f"p{n}", payments + n, n) for n in told]
    while traffic or labels:
        inputs: dict[str, Sequence[bytes]] = {}
        for handle, waiting in ((LABELS, labels), (TRAFFIC, traffic)):
            count = random.randint(0, size)
            if waiting[:count]:
                inputs[handle], waiting[:count] = waiting[:count], []
        if inputs:
            one.fold(inputs)
    assert (counted(one), one.letters, len(one.decisions)) == (len(told), [], payments)
    assert one.lane._release_us is None


# -- a lane that lags, in the simulator


def feed(random: Random, payments: int, partitions: int) -> list[tuple[tuple[str, int], LoggedRecord]]:
    """Payments of many customers and then, a moment later, labels of a third of them; most customers pay on one partition."""
    counts, found = partition_counts(partitions), [((CONTROL, 0), run_ready(T0_US)), ((POSTURE, 0), posture(T0_US, "NORMAL", 1))]
    due: list[tuple[int, bytes]] = []
    for number in range(payments):
        customer = "c" if random.random() < 0.6 else f"c{number}"
        place = int(partitions_of(Strings.of([customer]), counts[TRAFFIC])[0])
        found.append(((TRAFFIC, place), paid(f"p{number}", number, {"customer": customer, "terminal": "t"})))
        if number % 3 == 0:
            due.append((number + random.randint(-2, 40), fraud(f"p{number}", payments + number, number)))
        found += [((LABELS, 0), value) for at, value in due if at <= number]
        due = [one for one in due if one[0] > number]
    found += [((LABELS, 0), value) for _, value in due]
    found.append(((TRAFFIC, 0), paid("end", END_S)))
    return [(tp, LoggedRecord(b"k", value, 0)) for tp, value in found]


LAGS: Mapping[str, Sequence[Planted]] = {
    "traffic comes late": [Planted(Delay(6_000_000, TRAFFIC), "rtdl", "fetched", n) for n in (1, 8)],
    "a worker stands still": [
        Planted(Freeze(3_000_000, unsent=False), "rtdl", "computed", 4),
        Planted(Delay(1_000_000, TRAFFIC), "rtdl", "fetched", 6),
    ],
    "another takes over": [Planted(Crash(), "rtdl", "computed", 3), Planted(Crash(), "rtdl", "journal_acknowledged", 9)],
    "fetches are mixed and repeated": [Planted(Reorder(5, 0), "rtdl", "fetched", 1), Planted(Duplicate(20), "rtdl", "fetched", 7)],
}


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("seed", seeds(3))
def test_while_a_lane_lags_every_label_of_an_admitted_payment_counts_once(lag: str, partitions: int, seed: int) -> None:
    log, counts, run = ModelLog(), partition_counts(partitions), config().model_copy(update={"ordering": "arrival"})
    spec = TOPOLOGY.lane("rtdl")
    given_lane = simulated_lane(spec, run, counts, KeyedEffector().execute, 25)
    given_feed = feed(Random(seed), 240, partitions)
    Simulator([given_lane], log, seed, LAGS[lag], fetch_max=60, feed=given_feed, lot_max=50, standbys=True, pace=SnapshotPace(3, 0.0)).run()
    again = fold_machine_of(spec, run, counts)
    letters = Counter(reasons(log.values(QUARANTINE)))
    for value in log.values("FP_JOURNAL_RTDL_V1"):
        again.apply(value)
    assert letters == Counter()
    assert frauds(again) == 80, "as many as were told, none lost and none twice"


@pytest.mark.parametrize("seed", seeds(3))
def test_labels_of_a_lane_that_reads_no_payments_for_an_hour_count_or_are_told_to_be_posted_again(seed: int) -> None:
    log, counts, run = ModelLog(), partition_counts(1), config().model_copy(update={"ordering": "arrival"})
    spec, labels, payments = TOPOLOGY.lane("rtdl"), 20, 60
    given_lane = simulated_lane(spec, run, counts, KeyedEffector().execute, 25)
    values = [
        (CONTROL, run_ready(T0_US)),
        (POSTURE, posture(T0_US, "NORMAL", 1)),
        *((LABELS, fraud(f"p{number}", payments + number, number)) for number in range(labels)),
        *((TRAFFIC, paid(f"p{number}", number)) for number in range(payments)),
        (TRAFFIC, paid("end", END_S)),
    ]
    given_feed = [((handle, 0), LoggedRecord(b"k", value, 0)) for handle, value in values]
    away = [Planted(Delay(WAIT_US + S_US, TRAFFIC), "rtdl", "fetched", 1)]
    Simulator([given_lane], log, seed, away, fetch_max=60, feed=given_feed, lot_max=50).run()
    again = fold_machine_of(spec, run, counts)
    for value in log.values("FP_JOURNAL_RTDL_V1"):
        again.apply(value)
    letters = Counter(reasons(log.values(QUARANTINE)))
    assert letters.keys() == {"LABEL_WAITED_IN_VAIN"}
    assert frauds(again) + letters["LABEL_WAITED_IN_VAIN"] == labels, "each counts or is told"


def reasons(values: Iterable[bytes]) -> list[str]:
    return [unpack(value)[1]["reason"] for value in values]
