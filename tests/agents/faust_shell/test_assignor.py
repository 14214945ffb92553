"""Lanes are dealt whole, to one member each, and stay where they run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.faust_shell.assignor import LaneAssignor, deal

MEMBERS = st.text("abc", min_size=1)
OFFERS = st.dictionaries(
    MEMBERS, st.dictionaries(st.sampled_from(["rtdl", "act", "audit"]), st.tuples(st.integers(0, 5), st.integers(0, 9))), min_size=1
)
FOLDED = st.dictionaries(MEMBERS, st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1)


@given(OFFERS)
def test_every_lane_goes_to_exactly_one_member_that_offers_it(offers: dict[str, dict[str, tuple[int, int]]]) -> None:
    dealt = deal(offers)
    given_out = [lane for lanes in dealt.values() for lane in lanes]
    assert sorted(given_out) == sorted({lane for offer in offers.values() for lane in offer})
    assert all(lane in offers[member] for member, lanes in dealt.items() for lane in lanes)


@given(OFFERS)
def test_lanes_stay_where_they_run_when_a_member_joins(offers: dict[str, dict[str, tuple[int, int]]]) -> None:
    first = deal(offers)
    after = {member: {lane: (6, 0) if lane in first[member] else was for lane, was in offer.items()} for member, offer in offers.items()}
    newcomer = {lane: (0, 9) for offer in offers.values() for lane in offer}
    assert deal({"0 newcomer": newcomer, **after}) == {"0 newcomer": [], **first}


def test_a_worker_that_slept_through_a_takeover_does_not_get_its_lane_back() -> None:
    assert deal({"1 sleeper": {"rtdl": (3, 9)}, "2 active": {"rtdl": (4, 8)}}) == {"1 sleeper": [], "2 active": ["rtdl"]}


def test_the_standby_gets_the_lane_of_a_dead_worker_before_the_one_that_was_started_for_that() -> None:
    assert deal({"1 started": {"rtdl": (0, 0)}, "2 standby": {"rtdl": (0, 400)}}) == {"1 started": [], "2 standby": ["rtdl"]}


@given(FOLDED)
def test_lanes_that_read_the_same_topic_are_never_parted(folded: dict[str, tuple[int, int]]) -> None:
    dealt = deal({member: {"act": (0, act), "audit": (0, audit)} for member, (act, audit) in folded.items()})
    assert sorted(filter(None, dealt.values())) == [["act", "audit"]]


class Cluster:
    """Partition counts as the group's leader knows them."""

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {"in": {0, 1, 2}, "shared": {0}}.get(topic)


def _member(lanes: dict[str, list[str]]) -> Any:
    lane = SimpleNamespace(next_offset=0)
    specs = {name: SimpleNamespace(lane=lane, topics={topic: topic.upper() for topic in topics}) for name, topics in lanes.items()}
    return LaneAssignor(SimpleNamespace(lanes=SimpleNamespace(specs=specs)))


def test_assignments_survive_the_wire_and_reach_the_member() -> None:
    both, one = _member({"a": ["in", "shared"], "b": ["shared"]}), _member({"a": ["in", "shared"]})
    offers = {"m1": both.metadata(["in", "shared"]), "m2": one.metadata(["in", "shared"])}
    read = {member: ConsumerProtocolMemberMetadata.decode(offer.encode()) for member, offer in offers.items()}
    dealt = both.assign(Cluster(), read)
    for member, assignor in (("m1", both), ("m2", one)):
        assignor.on_assignment(ConsumerProtocolMemberAssignment.decode(dealt[member].encode()))
    assert (both.lanes, one.lanes) == (["a", "b"], [])
    assert both.assigned_actives() == {TP("in", 0), TP("in", 1), TP("in", 2), TP("shared", 0)}
    assert (one.assigned_actives(), both.assigned_standbys()) == (set(), set())
    assert both.is_active(TP("in", 1))
    assert not one.is_active(TP("in", 1))


def test_a_running_lane_is_told_to_the_leader() -> None:
    first, second = _member({"a": ["in"]}), _member({"a": ["in"]})
    second.lanes = ["a"]
    second.settled(4)
    dealt = first.assign(Cluster(), {"m1": first.metadata(["in"]), "m2": second.metadata(["in"])})
    assert {member: [topic for topic, _ in assignment.assignment] for member, assignment in dealt.items()} == {"m1": [], "m2": ["in"]}
