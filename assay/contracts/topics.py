"""Topics as values, read from one YAML file each. Topic strings stand in those files and nowhere else; code uses handles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from assay.contracts import keys
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.yaml_documents import read_document

FOLDER: Final = Path(__file__).parent / "topics"
#: (component, "produces" or "consumes", topic handle)
Edge = tuple[str, str, str]


@dataclass(frozen=True)
class Topic:
    """One topic: who owns, writes and reads it, which records under which key rule, and how the broker keeps it."""

    handle: str
    topic: str
    owner: str
    description: str
    #: component → records it may write
    producers: Mapping[str, tuple[str, ...]]
    consumers: tuple[str, ...]
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


def topic(handle: str) -> Topic:
    """The topic of a handle; raises Stop(TOPIC_UNKNOWN)."""
    try:
        return topics()[handle]
    except KeyError:
        raise Stop(Reason.TOPIC_UNKNOWN, f"no topic has the handle {handle!r}", remedy=f"Handles: {', '.join(topics())}.") from None


def may_produce(component: str, handle: str, record_name: str | None = None) -> bool:
    """True when the topic file lists the component as producer (of that record, if one is given)."""
    written = topic(handle).producers.get(component)
    return written is not None and (record_name is None or record_name in written)


def may_consume(component: str, handle: str) -> bool:
    """True when the topic file lists the component as consumer."""
    return component in topic(handle).consumers


def check_topology(wired: Iterable[Edge]) -> None:
    """Refuse the first edge its topic file does not list: Stop(PRODUCER_UNLISTED or CONSUMER_UNLISTED)."""
    for component, verb, handle in wired:
        allowed = may_produce(component, handle) if verb == "produces" else may_consume(component, handle)
        if not allowed:
            reason = Reason.PRODUCER_UNLISTED if verb == "produces" else Reason.CONSUMER_UNLISTED
            remedy = "Add it to the topic's file, or take the edge out of the topology."
            raise Stop(reason, f"{component} {verb} {handle}", where=topic(handle).topic + ".yaml", remedy=remedy)


def check_producer(component: str, handle: str, record_name: str) -> None:
    """Refuse a record that the topic file does not list for its maker: Stop(PRODUCER_UNLISTED)."""
    if not may_produce(component, handle, record_name):
        what = f"{component} may not write a {record_name} to {handle}"
        remedy = f"Add the record to {component} among the producers in the topic's file, or let its producer write it."
        raise Stop(Reason.PRODUCER_UNLISTED, what, where=topic(handle).topic + ".yaml", remedy=remedy)


def edges() -> list[Edge]:
    """Every edge the topic files list: producers, then consumers, by handle."""
    written: list[Edge] = [(who, "produces", found.handle) for found in topics().values() for who in found.producers]
    return written + [(who, "consumes", found.handle) for found in topics().values() for who in found.consumers]


def read(path: Path) -> Topic:
    """One topic file as a value; raises Stop(TOPIC_FILE_INVALID) naming the file and what is wrong with it."""
    document = read_document(path.read_bytes(), Reason.TOPIC_FILE_INVALID, path.name)
    wanted = {field.name for field in fields(Topic)}
    if set(document) != wanted:
        raise _invalid(path, f"fields missing or unknown: {', '.join(sorted(map(str, wanted ^ set(document))))}")
    try:
        document["producers"] = MappingProxyType({who: tuple(what) for who, what in document["producers"].items()})
        document["records"] = MappingProxyType(document["records"])
        for name in ("consumers", "golden"):
            document[name] = tuple(document[name])
        found = Topic(**document)
        _check(path, found)
    except (TypeError, AttributeError) as error:
        raise _invalid(path, f"a field is of another kind: {error}") from None
    return found


def _check(path: Path, found: Topic) -> None:
    problems = {
        f"the file is not named {found.topic}.yaml": path.stem != found.topic,
        "a key rule is unknown": not set(found.records.values()) <= set(keys.RULES),
        "a producer writes a record the topic does not carry": not {r for rs in found.producers.values() for r in rs} <= set(found.records),
        "cleanup is neither delete nor compact": found.cleanup not in ("delete", "compact"),
        "partitions must be at least 1": found.partitions < 1,
        "fewer than three golden vectors": len(found.golden) < 3,
    }
    for problem, met in problems.items():
        if met:
            raise _invalid(path, problem)


def _invalid(path: Path, what: str) -> Stop:
    return Stop(Reason.TOPIC_FILE_INVALID, what, where=path.name)
