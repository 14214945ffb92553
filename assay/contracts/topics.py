"""Topics as values, read from one YAML file each. Topic strings stand in those files and nowhere else; code uses handles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from assay.contracts import keys
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.traffic_modes import TrafficName
from assay.contracts.yaml_documents import read_document

FOLDER: Final = Path(__file__).parent / "topics"


class Edge(NamedTuple):
    """One component writes, or reads, one record type of one topic (by its handle)."""

    component: str
    verb: Literal["produces", "consumes"]
    handle: str
    record: str

    def __str__(self) -> str:
        return f"{self.component} {self.verb} {self.record} {'to' if self.verb == 'produces' else 'from'} {self.handle}"


@dataclass(frozen=True)
class Topic:
    """One topic: who owns, writes and reads it, which records under which key rule, and how the broker keeps it."""

    handle: str
    topic: str
    owner: str
    description: str
    #: component → records it writes
    producers: Mapping[str, tuple[str, ...]]
    #: component → records it reads
    consumers: Mapping[str, tuple[str, ...]]
    #: Avro record name → key rule (contracts/keys.py)
    records: Mapping[str, str]
    partitions: int
    #: True where wiring may set another number
    partitions_scale: bool
    #: -1 keeps for ever
    retention_ms: int
    cleanup: Literal["delete", "compact"]
    config: Mapping[str, int | str]
    #: handle of the topic that takes what is refused here
    dead_letter: str | None
    golden: tuple[Mapping[str, Any], ...]
    #: traffics of a generated world (contracts/traffic_modes.py) whose runs have this topic; none where every run has it
    only_for: tuple[str, ...] = ()

    def name(self, namespace: str = "") -> str:
        """The name on the broker: namespace, then the topic string."""
        return namespace + self.topic

    def partition_count(self, override: int | None = None) -> int:
        """Partitions, the override taken only where the topic scales."""
        return override if override and self.partitions_scale else self.partitions

    def key(self, record_name: str, record: Mapping[str, Any]) -> bytes:
        """Kafka key of one of this topic's records."""
        return keys.key_of(self.records[record_name], record)

    def partition(self, record_name: str, record: Mapping[str, Any], partitions: int) -> int:
        """Partition of one of this topic's records."""
        return keys.partition_of(self.records[record_name], record, partitions)

    def broker_config(self) -> dict[str, str]:
        """Topic configuration as Kafka spells it."""
        given = {"cleanup.policy": self.cleanup, "retention.ms": self.retention_ms, **self.config}
        return {name: str(value) for name, value in given.items()}


@cache
def topics() -> Mapping[str, Topic]:
    """All topics by handle, in the order of their handles. Raises Stop(TOPIC_FILE_INVALID)."""
    found = sorted((read(path) for path in FOLDER.glob("*.yaml")), key=lambda topic: topic.handle)
    return MappingProxyType({topic.handle: topic for topic in found})


def topics_of(traffic: str) -> Mapping[str, Topic]:
    """The topics of a run by handle: `traffic` is that of the generated world it streams, empty for none."""
    return MappingProxyType({handle: found for handle, found in topics().items() if not found.only_for or traffic in found.only_for})


def topic(handle: str) -> Topic:
    """The topic of a handle; raises Stop(TOPIC_UNKNOWN)."""
    try:
        return topics()[handle]
    except KeyError:
        raise Stop(Reason.TOPIC_UNKNOWN, f"no topic has the handle {handle!r}", remedy=f"Handles: {', '.join(topics())}.") from None


def topic_named(name: str, namespace: str = "") -> Topic:
    """The topic of a handle or of a name, with or without its namespace; raises Stop(TOPIC_UNKNOWN)."""
    for found in topics().values():
        if name in (found.handle, found.name(), found.name(namespace)):
            return found
    remedy = f"Topics: {', '.join(found.name() for found in topics().values())}. Their handles will do: {', '.join(topics())}."
    raise Stop(Reason.TOPIC_UNKNOWN, f"no topic has the name or handle {name!r}", remedy=remedy)


def edges(found: Iterable[Topic] | None = None) -> Iterator[Edge]:
    """Every edge that topic files list, topic by topic; of all topics if none are given."""
    for one in topics().values() if found is None else found:
        yield from (Edge(who, "produces", one.handle, record) for who, records in one.producers.items() for record in records)
        yield from (Edge(who, "consumes", one.handle, record) for who, records in one.consumers.items() for record in records)


def read(path: Path) -> Topic:
    """One topic file as a value; raises Stop(TOPIC_FILE_INVALID) naming the file and what is wrong with it."""
    document = {"only_for": [], **read_document(path.read_bytes(), Reason.TOPIC_FILE_INVALID, path.name)}
    wanted = {field.name for field in fields(Topic)}
    if set(document) != wanted:
        raise _invalid(path, f"fields missing or unknown: {', '.join(sorted(map(str, wanted ^ set(document))))}")
    try:
        for name in ("producers", "consumers"):
            document[name] = MappingProxyType({who: tuple(records) for who, records in document[name].items()})
        document["records"] = MappingProxyType(document["records"])
        document["golden"], document["only_for"] = tuple(document["golden"]), tuple(document["only_for"])
        found = Topic(**document)
        _check(path, found)
    except (TypeError, AttributeError) as error:
        raise _invalid(path, f"a field is of another kind: {error}") from None
    return found


def _check(path: Path, found: Topic) -> None:
    problems = {
        f"the file is not named {found.topic}.yaml": path.stem != found.topic,
        "a key rule is unknown": not set(found.records.values()) <= set(keys.RULES),
        "a producer writes a record the topic does not carry": not _records(found.producers) <= set(found.records),
        "a consumer reads a record the topic does not carry": not _records(found.consumers) <= set(found.records),
        "a record has no producer": not set(found.records) <= _records(found.producers),
        "the owner is not among the producers": found.owner not in found.producers,
        "cleanup is neither delete nor compact": found.cleanup not in ("delete", "compact"),
        "partitions must be at least 1": found.partitions < 1,
        "only_for names no traffic": not set(found.only_for) <= set(TrafficName),
        "fewer than three golden vectors": len(found.golden) < 3,
    }
    for problem, met in problems.items():
        if met:
            raise _invalid(path, problem)


def _records(components: Mapping[str, Iterable[str]]) -> set[str]:
    return {record for records in components.values() for record in records}


def _invalid(path: Path, what: str) -> Stop:
    return Stop(Reason.TOPIC_FILE_INVALID, what, where=path.name)
