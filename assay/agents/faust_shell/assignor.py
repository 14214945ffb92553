"""The group of a lane gives the whole lane to one of its members: one active worker, the others stand by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.types import TP
from faust.types.assignor import HostToPartitionMap, PartitionAssignorT
from yarl import URL

_VERSION = 0


class Offer(NamedTuple):
    """What a member tells the group's leader when it joins."""

    given_generation: int
    """The group generation that last gave it the lane, 0 for none."""
    applied_records: int
    """Journal records that it has folded."""


def active_of(offers: Mapping[str, Offer]) -> str:
    """The id of the member that gets the lane, of at least one member.

    It is the member that was given the lane last. A worker that slept through a takeover still believes that it runs the lane;
    its generation is older. Without such a member it is the one that has folded most: a worker that is started for a dead one
    may join before the group has noticed the death, and a standby can go on at once. Then the lowest id.
    """
    return max(sorted(offers), key=lambda member: offers[member])


class LaneAssignor(AbstractPartitionAssignor, PartitionAssignorT):  # type: ignore[misc]  # aiokafka has no types
    """Faust's `PartitionAssignor` setting for the app of one lane."""

    app: Any  # a LaneApp; Faust declares its own app type

    name = "assay-lane"

    def __init__(self, app: Any, replicas: int = 0) -> None:
        self.app = app
        self.replicas = replicas
        self.given = False
        self._given_generation = 0
        self._actives: set[TP] = set()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """The offer of this member, in the JoinGroup request."""
        offer = Offer(self._given_generation, self.app.member.lane.next_offset)
        return ConsumerProtocolMemberMetadata(_VERSION, list(topics), json.dumps(offer).encode())

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Called on the group's leader: all partitions of the topics that the chosen member reads, nothing for the others."""
        active = active_of({member: Offer(*json.loads(metadata.user_data)) for member, metadata in members.items()})
        places: list[Any] = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in sorted(members[active].subscription)]
        return {
            member: ConsumerProtocolMemberAssignment(_VERSION, places if member == active else [], json.dumps(member == active).encode())
            for member in members
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Called on every member, before the rebalance callbacks. A lane can be given without a partition: its topics are gone."""
        self.given = json.loads(assignment.user_data)
        self._actives = {TP(topic, partition) for topic, partition in assignment.partitions()}

    def settled(self, generation: int) -> None:
        """The rebalance of this generation reached the worker: what it was given counts from now on."""
        self._given_generation = generation if self.given else 0

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
