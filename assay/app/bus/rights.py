"""What each user of a Kafka of ours may do, computed from the topology: who is no declared producer of a topic cannot write there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from assay.agents.components import COMPONENTS
from assay.agents.topology import TOPOLOGY
from assay.app.bus.admin import KafkaAdmin, Right
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.contracts.consumer_groups import group_of
from assay.contracts.topics import Edge, topics, topics_of

#: the user that runs each component outside of lanes
USER_OF: Final = {
    "scenario_runner": BusUser.RUNNER,
    "world_streamer": BusUser.STREAMER,
    "label_delivery": BusUser.LABELS,
    "ingestion_gate": BusUser.GATE,
    "label_store": BusUser.GATE,
    "replay": BusUser.READER,
    "report": BusUser.READER,
    "operator": BusUser.READER,
}


#: the consumer group of who reads with a client of their own, see docs/own-client.md
READERS_GROUP: Final = "reader"


class Allowed(NamedTuple):
    """A user may read or write a topic, by its handle."""

    user: BusUser
    verb: Literal["READ", "WRITE"]
    handle: str


def allowed() -> frozenset[Allowed]:
    """Every permission on a topic. The administrator needs none; a reader may read all topics, as people with `assay topic cat` do."""
    declared = (_of_edge(USER_OF[one.name], edge) for one in COMPONENTS for edge in one.edges())
    lanes = (_of_edge(BusUser.WORKER, edge) for lane in TOPOLOGY.lanes for edge in lane.edges())
    return frozenset((*declared, *lanes, *(Allowed(BusUser.READER, "READ", handle) for handle in topics())))


def rights_of(run: Run) -> frozenset[Right]:
    """The same for the topics of a run, and the consumer groups: those of lanes for the worker, one for readers."""
    there = topics_of(run.config.traffic)
    on_topics = (Right(user, verb, "TOPIC", there[handle].name(run.namespace)) for user, verb, handle in allowed() if handle in there)
    groups = *((BusUser.WORKER, group) for group in _groups(run)), (BusUser.READER, READERS_GROUP)
    return frozenset((*on_topics, *(Right(user, "READ", "GROUP", group) for user, group in groups)))


def grant(run: Run) -> None:
    """Give the users of the run's Kafka their rights, and take what they had before and need no more. A Kafka of the user's is left alone.

    Raises Retry(BROKER_UNREACHABLE).
    """
    if run.bus_users:
        KafkaAdmin(run.bootstrap, properties_of(run, BusUser.ADMIN)).set_rights(frozenset(BusUser), rights_of(run))


def _groups(run: Run) -> Iterator[str]:
    for lane in TOPOLOGY.lanes:
        yield from (group_of(run.namespace, run.platform_run_id, lane.group, shard) for shard in range(lane.shards))


def _of_edge(user: BusUser, edge: Edge) -> Allowed:
    return Allowed(user, "WRITE" if edge.verb == "produces" else "READ", edge.handle)
