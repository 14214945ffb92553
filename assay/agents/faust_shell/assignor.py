"""Whole lanes are dealt to the members of the Kafka group: one active worker per lane, and it keeps what it has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP
from faust.types.assignor import HostToPartitionMap, PartitionAssignorT
from yarl import URL

#: member id → lane → the group generation that last gave it the lane, 0 if none did, and how much of the journal it has folded
Offers = Mapping[str, Mapping[str, tuple[int, int]]]

_VERSION = 0


def deal(offers: Offers) -> dict[str, list[str]]:
    """Lanes per member: a lane stays where it was given last, else goes to who has folded most, then to the lowest id.

    Last, because a worker that slept through a takeover still believes that it runs the lane. Folded, because a worker that
    is started for one that died may join before the group has found out, and a standby is there to go on at once. Of all its
    lanes together, because lanes that read the same topic must not be parted: the group has one commit for both.
    """
    dealt: dict[str, list[str]] = {member: [] for member in offers}
    folded = {member: sum(records for _, records in offer.values()) for member, offer in offers.items()}
    for lane in sorted({lane for offer in offers.values() for lane in offer}):
        able = [member for member in sorted(offers) if lane in offers[member]]
        dealt[max(able, key=lambda member: (offers[member][lane][0], folded[member]))].append(lane)
    return dealt


class LaneAssignor(AbstractPartitionAssignor, PartitionAssignorT):  # type: ignore[misc]  # aiokafka has no types
    """Faust's `PartitionAssignor` setting. Members say which lanes they can run and which they run."""

    app: Any  # a LaneApp; Faust declares its own app type

    name = "assay-lanes"

    def __init__(self, app: Any, replicas: int = 0) -> None:
        self.app = app
        self.replicas = replicas
        self.lanes: list[str] = []
        self._given: dict[str, int] = {}
        self._topics: set[str] = set()
        self._actives: set[TP] = set()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member offers, in the JoinGroup request."""
        specs = self.app.lanes.specs
        offer = {name: [self._given.get(name, 0), spec.lane.next_offset, sorted(spec.topics)] for name, spec in specs.items()}
        return ConsumerProtocolMemberMetadata(_VERSION, list(topics), json.dumps(offer, sort_keys=True).encode())

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Called on the group's leader: all partitions of a lane's topics go where the lane goes."""
        offers = {member: json.loads(metadata.user_data) for member, metadata in members.items()}
        dealt = deal({member: {lane: (since, folded) for lane, (since, folded, _) in offer.items()} for member, offer in offers.items()})
        return {
            member: _assignment(cluster, lanes, {topic for lane in lanes for topic in offers[member][lane][2]})
            for member, lanes in dealt.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Called on every member, before the rebalance callbacks."""
        self.lanes = json.loads(assignment.user_data)
        self._actives = {TP(topic, partition) for topic, partition in assignment.partitions()}

    def settled(self, generation: int) -> None:
        """The rebalance of this generation reached the worker: what it was given counts from now on."""
        self._given = dict.fromkeys(self.lanes, generation)

    def group_for_topic(self, topic: str) -> int:
        """One group: partitions are never dealt apart."""
        return 0

    def assigned_actives(self) -> set[TP]:
        """Partitions given to this member."""
        return set(self._actives)

    def assigned_standbys(self) -> set[TP]:
        """None: a standby follows the journal, not the input."""
        return set()

    def is_active(self, tp: TP) -> bool:
        """Whether this member was given the partition."""
        return tp in self._actives

    def is_standby(self, tp: TP) -> bool:
        """Never."""
        return False

    def key_store(self, topic: str, key: bytes) -> URL:
        """The web address holding a key: always this worker's own."""
        return URL(self.app.conf.canonical_url)

    def table_metadata(self, topic: str) -> HostToPartitionMap:
        """Nothing: tables are read from the lane, not from changelog partitions."""
        return {}

    def tables_metadata(self) -> HostToPartitionMap:
        """Nothing, as above."""
        return {}


def _assignment(cluster: ClusterMetadata, lanes: list[str], topics: set[str]) -> ConsumerProtocolMemberAssignment:
    places: list[Any] = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in sorted(topics)]
    return ConsumerProtocolMemberAssignment(_VERSION, places, json.dumps(lanes).encode())
