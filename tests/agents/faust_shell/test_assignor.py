"""A lane is given whole to one member of its group, and stays where it runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.faust_shell.assignor import LaneAssignor, Offer, active_of

OFFERS = st.dictionaries(st.text("abc", min_size=1), st.builds(Offer, st.integers(0, 5), st.integers(0, 9)), min_size=1)


@pytest.mark.parametrize(
    ("offers", "active"),
    [
        pytest.param({"1 sleeper": Offer(3, 9), "2 active": Offer(4, 8)}, "2 active", id="a worker that slept through a takeover"),
        pytest.param({"1 started": Offer(0, 0), "2 standby": Offer(0, 400)}, "2 standby", id="a worker started for a dead one"),
        pytest.param({"1 standby": Offer(0, 400), "2 active": Offer(1, 399)}, "2 active", id="a standby that has folded more"),
        pytest.param({"2": Offer(0, 0), "1": Offer(0, 0)}, "1", id="alike: the lowest id"),
    ],
)
def test_the_lane_goes_to_who_ran_it_last_else_to_who_has_folded_most(offers: dict[str, Offer], active: str) -> None:
    assert active_of(offers) == active


@given(OFFERS, st.integers(0, 1_000))
def test_the_lane_stays_where_it_runs_whoever_joins(offers: dict[str, Offer], folded: int) -> None:
    active = active_of(offers)
    after = {member: Offer(6, 0) if member == active else offer for member, offer in offers.items()}
    assert active_of({"0 newcomer": Offer(0, folded), **after}) == active


class Cluster:
    """Partition counts as the group's leader knows them."""

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {"in": {0, 1, 2}, "also": {0}}.get(topic)


def _member(folded: int = 0) -> LaneAssignor:
    lane = SimpleNamespace(next_offset=folded)
    return LaneAssignor(SimpleNamespace(member=SimpleNamespace(lane=lane)))


def _rebalance(members: dict[str, LaneAssignor], topics: list[str], generation: int) -> None:
    """As aiokafka does it, the leader being any of them; all of it goes over the wire."""
    offers = {name: ConsumerProtocolMemberMetadata.decode(member.metadata(topics).encode()) for name, member in members.items()}
    dealt: dict[str, Any] = next(iter(members.values())).assign(Cluster(), offers)
    for name, member in members.items():
        member.on_assignment(ConsumerProtocolMemberAssignment.decode(dealt[name].encode()))
        member.settled(generation)


def test_one_member_is_given_every_partition_and_the_others_none() -> None:
    behind, ahead = _member(3), _member(4)
    _rebalance({"1": behind, "2": ahead}, ["in", "also"], 1)
    assert (behind.given, ahead.given) == (False, True)
    assert ahead.assigned_actives() == {TP("in", 0), TP("in", 1), TP("in", 2), TP("also", 0)}
    assert (behind.assigned_actives(), ahead.assigned_standbys()) == (set(), set())
    assert ahead.is_active(TP("in", 1))
    assert not behind.is_active(TP("in", 1))


def test_a_running_lane_is_told_to_the_leader_and_one_that_was_lost_no_more() -> None:
    first, second = _member(0), _member(0)
    _rebalance({"2": second}, ["in"], 1)
    _rebalance({"1": first, "2": second}, ["in"], 2)
    assert (first.given, second.given) == (False, True), "it stays where it runs"
    _rebalance({"1": first}, ["in"], 3)
    _rebalance({"1": first, "3": second}, ["in"], 4)
    assert (first.given, second.given) == (True, False), "the second slept through the rebalance that took the lane"
    assert second.metadata(["in"]).user_data == b"[0, 0]"


def test_a_lane_whose_topics_are_gone_is_given_all_the_same() -> None:
    only = _member()
    _rebalance({"1": only}, ["gone"], 1)
    assert (only.given, only.assigned_actives()) == (True, set())
