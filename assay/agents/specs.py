"""The words of the topology: records, inputs, steps, lanes and components as values. `agents/topology.py` uses them.

A lane is a sub-topology in the sense of Kafka Streams; a lane in a worker is a stream task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, NamedTuple, TypeAlias

from assay.agents.batch import Step, Views
from assay.agents.plans import Plans
from assay.agents.row_order import Ordering
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import Edge

#: the record type of a watermark
WATERMARK: Final = "mark"
#: the record types that a machine writes beside the outputs of its steps
JOURNAL_RECORD: Final = "journal_record"
QUARANTINE_RECORD: Final = "quarantine_record"


class Role(StrEnum):
    """The part of a lane in a run; commands and benches look a lane up by it."""

    DECIDE = "decide"
    ACT = "act"
    AUDIT = "audit"


class Field(NamedTuple):
    """A column is the Avro field at this path."""

    path: str


class Equals(NamedTuple):
    """A column is 1 if the text field at this path is `text`, else 0."""

    path: str
    text: str


class IdOf(NamedTuple):
    """A column is the id of the entity of its own name (`entity.customer`) in the list at this path, null if it is not there."""

    path: str


class ValueDigest(NamedTuple):
    """A column is the sha256 of the whole record value."""


class Document(NamedTuple):
    """A column is the whole record as JSON with sorted keys. For rare records: each is read by itself."""


Source: TypeAlias = Field | Equals | IdOf | ValueDigest | Document


@dataclass(frozen=True)
class RecordSpec:
    """One record type of an input topic.

    `kind` is the value of the column `kind`. `columns` says where a column comes from if it is not the Avro field of its name.
    `rows` is False for a record that is checked (its fields `must_decode`) and makes no row. `of_run` compares the six pins.
    `never_late`: it takes the next place in the order if its own has passed, where other rows are refused.
    `currency` is the path of the text field that the feature document may limit to its currencies; it is among `must_decode`.
    """

    record: str
    kind: int = 0
    columns: Mapping[str, Source] = field(default_factory=dict)
    rows: bool = True
    must_decode: tuple[str, ...] = ()
    currency: str | None = None
    of_run: bool = True
    never_late: bool = False

    @property
    def is_document(self) -> bool:
        """Whether the record travels as JSON."""
        return any(isinstance(source, Document) for source in self.columns.values())


@dataclass(frozen=True)
class InputSpec:
    """One input topic of a lane. `rank` orders topics at equal event times, the lowest first."""

    rank: int
    records: tuple[RecordSpec, ...]


@dataclass(frozen=True)
class StepSpec:
    """One step of a lane.

    `key` says whose state a row touches: `entity` (its own keys), `event` (its event id) or `none` (all rows of the shard).
    `reads` and `writes` are columns, `frames_read` and `frames_written` frames, `emits` topic → record types, `tables` the tables it
    owns, `views` tables of earlier steps that it reads. `punctuated`: it also runs for journal records without rows. `effects`: it asks
    for effects. `holds`: it may hold rows and release them later.
    """

    component: str
    key: Literal["entity", "event", "none"]
    make: Callable[[Plans, Views], Step]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    frames_read: tuple[str, ...] = ()
    frames_written: tuple[str, ...] = ()
    emits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    punctuated: bool = False
    effects: bool = False
    holds: bool = False


class JournalTopic(NamedTuple):
    """The journal is a topic; the partition is the shard."""

    handle: str


class JournalSegments(NamedTuple):
    """The journal is a chain of segments in the object store, under this key prefix."""

    prefix: str


@dataclass(frozen=True)
class LaneSpec:
    """One ordered loop over its state: everything a lane is.

    `ordering` is `run` where the configuration of the run decides it. `machine` is `fold` (steps over a journal) or `audit` (a hash
    chain). `group` is the last part of its consumer group, one per lane. `effector` names the port that executes effects.
    `dead_letter` takes refused records. `emits` are topics that the machine itself writes, without these two.
    """

    name: str
    role: Role
    pack: str
    component: str
    inputs: Mapping[str, InputSpec]
    ordering: Ordering | Literal["run"]
    machine: Literal["fold", "audit"]
    journal: JournalTopic | JournalSegments
    group: str
    dead_letter: str
    steps: tuple[StepSpec, ...] = ()
    emits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    effector: str | None = None
    shards: int = 1

    @property
    def ranks(self) -> dict[str, int]:
        """Rank per input topic."""
        return {handle: given.rank for handle, given in self.inputs.items()}

    @property
    def snapshots(self) -> bool:
        """Whether its state is kept in snapshots; segments are their own."""
        return isinstance(self.journal, JournalTopic)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables of all its steps."""
        return tuple(name for step in self.steps for name in step.tables)

    def written_topics(self) -> tuple[str, ...]:
        """Handles of the topics that the machine and its steps write: outputs and dead letters, not the journal."""
        return tuple(dict.fromkeys((*self.emits, self.dead_letter, *(handle for step in self.steps for handle in step.emits))))

    def edges(self) -> Iterator[Edge]:
        """Every edge of the lane and its steps."""
        for handle, given in self.inputs.items():
            yield from (Edge(self.component, "consumes", handle, spec.record) for spec in given.records)
            if self.ordering != "arrival":  # rows are ordered by the watermarks of every input
                yield Edge(self.component, "consumes", handle, WATERMARK)
        if isinstance(self.journal, JournalTopic):
            yield Edge(self.component, "produces", self.journal.handle, JOURNAL_RECORD)
            yield Edge(self.component, "consumes", self.journal.handle, JOURNAL_RECORD)
        yield Edge(self.component, "produces", self.dead_letter, QUARANTINE_RECORD)
        yield from self.emissions()

    def emissions(self) -> Iterator[Edge]:
        """The edges that the machine and its steps declare under `emits`."""
        for component, emits in ((self.component, self.emits), *((step.component, step.emits) for step in self.steps)):
            yield from (Edge(component, "produces", handle, record) for handle, records in emits.items() for record in records)


def journal_topic(lane: LaneSpec) -> str:
    """The handle of a lane's journal topic. Raises Stop(JOURNAL_UNREADABLE) for a lane without one."""
    if not isinstance(lane.journal, JournalTopic):
        raise Stop(Reason.JOURNAL_UNREADABLE, f"lane {lane.name} keeps no journal topic", remedy="Name a lane that does.")
    return lane.journal.handle


@dataclass(frozen=True)
class ComponentSpec:
    """A component outside of lanes: a front-end, a job, a reader. `planned` ones do not run yet."""

    name: str
    pack: str
    about: str
    produces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    consumes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: components that it calls over HTTP
    calls: tuple[str, ...] = ()
    planned: bool = False

    def edges(self) -> Iterator[Edge]:
        """Every edge of the component."""
        yield from (Edge(self.name, "produces", handle, record) for handle, records in self.produces.items() for record in records)
        yield from (Edge(self.name, "consumes", handle, record) for handle, records in self.consumes.items() for record in records)

    def check_produces(self, handle: str, record: str) -> None:
        """Raises Stop(PRODUCER_UNLISTED) for a record that the component does not declare for this topic."""
        if record not in self.produces.get(handle, ()):
            raise _undeclared(Reason.PRODUCER_UNLISTED, f"{self.name} may not write a {record} to {handle}")

    def check_consumes(self, handle: str, record: str) -> None:
        """Raises Stop(CONSUMER_UNLISTED) for a record that the component does not declare for this topic."""
        if record not in self.consumes.get(handle, ()):
            raise _undeclared(Reason.CONSUMER_UNLISTED, f"{self.name} may not read a {record} from {handle}")


def _undeclared(reason: Reason, what: str) -> Stop:
    remedy = "Declare the record in the ComponentSpec in agents/components.py and in the topic's file, or do not use it."
    return Stop(reason, what, remedy=remedy)


@dataclass(frozen=True)
class Topology:
    """All lanes and components. `agents/topology_check.py` refuses one that contradicts itself or the topic files."""

    lanes: tuple[LaneSpec, ...]
    components: tuple[ComponentSpec, ...] = ()

    def lane(self, name: str) -> LaneSpec:
        """The lane of this name. Raises KeyError."""
        return {lane.name: lane for lane in self.lanes}[name]

    def with_role(self, role: Role) -> LaneSpec:
        """The lane with this role. Raises KeyError."""
        return {lane.role: lane for lane in self.lanes}[role]

    def of_packs(self, packs: Sequence[str]) -> tuple[LaneSpec, ...]:
        """Lanes of the chosen packs; all of them if none is chosen."""
        return tuple(lane for lane in self.lanes if not packs or lane.pack in packs)

    def edges(self) -> Iterator[Edge]:
        """Every edge of everything that runs."""
        for lane in self.lanes:
            yield from lane.edges()
        for component in self.components:
            if not component.planned:
                yield from component.edges()

    def declarations(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(component, topic handle, records) of every topic that a lane, a step or a component declares to write or to read."""
        for lane in self.lanes:
            yield from ((lane.component, handle, tuple(one.record for one in given.records)) for handle, given in lane.inputs.items())
            for component, emits in ((lane.component, lane.emits), *((step.component, step.emits) for step in lane.steps)):
                yield from ((component, handle, records) for handle, records in emits.items())
        for one in self.components:
            yield from ((one.name, handle, records) for edges in (one.produces, one.consumes) for handle, records in edges.items())

    def planned_edges(self) -> Iterator[Edge]:
        """Every edge of the planned components."""
        for component in self.components:
            if component.planned:
                yield from component.edges()
