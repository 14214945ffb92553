"""The check of a topology: it refuses a value that contradicts itself or the topic files. `topology.py` calls it when it is imported.

Every edge of the topology stands in a topic file, and every component of a topic file has that edge in the topology. Planned components
are part of both. The checks of single lanes are in `lane_check.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from assay.agents.lane_check import check_lane
from assay.agents.specs import LaneSpec, Topology
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic, edges


def check(topology: Topology, topics: Mapping[str, Topic]) -> None:
    """Refuse a topology that contradicts itself or these topic files (handle → topic).

    Raises Stop: LANE_IDENTITY_TAKEN, COMPONENT_UNKNOWN, TABLE_OWNED_TWICE, TOPIC_UNKNOWN, EMISSION_UNLISTED, PRODUCER_UNLISTED,
    CONSUMER_UNLISTED, TOPIC_ORPHANED, and those of `check_lane`.
    """
    _check_identities(topology)
    _check_calls(topology)
    for lane in topology.lanes:
        check_lane(lane, topics)
    _check_tables(topology.lanes)
    _check_listed(topology, topics)
    _check_orphans(topology, topics)
    _check_declared(topology, topics)


def _check_identities(topology: Topology) -> None:
    """Lanes differ in name, role, consumer group and journal; components that run differ in name."""
    lanes = topology.lanes
    identities: dict[str, list[str]] = {
        "name": [lane.name for lane in lanes],
        "role": [lane.role.value for lane in lanes],
        "consumer group": [lane.group for lane in lanes],
        "journal": [lane.journal[0] for lane in lanes],
    }
    for what, used in identities.items():
        for taken in _repeated(used):
            raise _stop(Reason.LANE_IDENTITY_TAKEN, f"two lanes have the {what} {taken}", "Give each lane its own.")
    for taken in _repeated(component.name for component in topology.components if not component.planned):
        raise _stop(Reason.LANE_IDENTITY_TAKEN, f"two components that run have the name {taken}", "Give each component its own.")


def _check_calls(topology: Topology) -> None:
    """A component that is called over HTTP is one of the topology, and a component that runs calls none that is planned."""
    running = {component.name for component in topology.components if not component.planned}
    planned = {component.name for component in topology.components if component.planned}
    for component in topology.components:
        for called in component.calls:
            if called not in (running | planned if component.planned else running):
                what = f"{component.name} calls {called}, and no such component {'is planned' if component.planned else 'runs'}"
                raise _stop(Reason.COMPONENT_UNKNOWN, what, f"Components: {', '.join(sorted(running))}.", "agents/components.py")


def _check_tables(lanes: Iterable[LaneSpec]) -> None:
    """A table name is unique in the whole topology: people read tables by name alone."""
    for table in _repeated(table for lane in lanes for step in lane.steps for table in step.tables):
        owners = [f"{lane.name}/{step.component}" for lane in lanes for step in lane.steps if table in step.tables]
        what = f"table {table} has {len(owners)} owners: {', '.join(owners)}"
        raise _stop(Reason.TABLE_OWNED_TWICE, what, "One step owns a table; the others declare it under `views`.")


def _check_listed(topology: Topology, topics: Mapping[str, Topic]) -> None:
    """Every edge of the topology stands in its topic file; a topic that is declared is declared with its records."""
    for component, handle, records in topology.declarations():
        if not records:
            raise _stop(
                Reason.EMISSION_UNLISTED, f"{component} names {handle} without a record", "Name the records, or leave the topic out."
            )
    listed = set(edges(topics.values()))
    emitted = {edge for lane in topology.lanes for edge in lane.emissions()}
    for edge in (*topology.edges(), *topology.planned_edges()):
        if edge.handle not in topics:
            raise _stop(Reason.TOPIC_UNKNOWN, f"{edge}: there is no such topic", f"Handles: {', '.join(topics)}.")
        if edge not in listed:
            reason = Reason.CONSUMER_UNLISTED if edge.verb == "consumes" else Reason.PRODUCER_UNLISTED
            remedy = "Add the component with this record to the topic's file, or take the edge out of the topology."
            where = f"{topics[edge.handle].topic}.yaml"
            raise _stop(Reason.EMISSION_UNLISTED if edge in emitted else reason, f"{edge}: its topic file does not list it", remedy, where)


def _check_orphans(topology: Topology, topics: Mapping[str, Topic]) -> None:
    """Every record of every topic has a producer and a consumer. Planned edges count for records that no running edge uses."""
    running, planned = set(topology.edges()), set(topology.planned_edges())
    for handle in (handle for handle, topic in topics.items() if not topic.records):
        raise _stop(Reason.TOPIC_ORPHANED, f"{handle} has no records", "Name its records, or remove the topic's file.")
    for handle, record in ((handle, record) for handle, topic in topics.items() for record in topic.records):
        used = [edge for edge in running if edge[2:] == (handle, record)] or [edge for edge in planned if edge[2:] == (handle, record)]
        missing = {"produces", "consumes"} - {edge.verb for edge in used}
        if missing:
            what = f"no component {' or '.join(sorted(missing))} {record} of {handle}"
            raise _stop(Reason.TOPIC_ORPHANED, what, "Declare a component that does, or remove the record from the topic's file.")


def _check_declared(topology: Topology, topics: Mapping[str, Topic]) -> None:
    """Every edge of every topic file is one of the topology, running or planned."""
    declared = {*topology.edges(), *topology.planned_edges()}
    for edge in edges(topics.values()):
        if edge not in declared:
            reason = Reason.CONSUMER_UNLISTED if edge.verb == "consumes" else Reason.PRODUCER_UNLISTED
            remedy = "Declare it in agents/topology.py or agents/components.py, or take it out of the topic's file."
            raise _stop(reason, f"{edge}: the topology does not declare it", remedy, f"{topics[edge.handle].topic}.yaml")


def _repeated(names: Iterable[str]) -> Iterator[str]:
    yield from (name for name, times in Counter(names).items() if times > 1)


def _stop(reason: Reason, what: str, remedy: str, where: str = "agents/topology.py") -> Stop:
    return Stop(reason, what, where=where, remedy=remedy)
