"""Key rules: which key a record carries, and which partition that key belongs to.

A rule is a pure function of the record's fields (the Avro record as a mapping). The partition is Kafka's default for a key:
(murmur2(key) & 0x7fffffff) % partitions, so any producer in any language agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

ENTITY_PRECEDENCE: Final = ("flow", "account", "customer", "card", "merchant", "terminal", "party")

_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def entity_key(entities: Mapping[str, str | None] | Iterable[Mapping[str, str]], event_id: str) -> bytes:
    """Id of the first present entity in ENTITY_PRECEDENCE, else of the first by name, else the event id.

    By name, not by position: the order of keys in a JSON object carries no meaning. Of two items with one name the first counts.
    """
    named = entities if isinstance(entities, Mapping) else {entity["name"]: entity["id"] for entity in reversed([*entities])}
    for name in ENTITY_PRECEDENCE:
        found = named.get(name)
        if found is not None:
            return found.encode()
    for name in sorted(named):
        found = named[name]
        if found is not None:
            return found.encode()
    return event_id.encode()


def _entity(record: Mapping[str, Any]) -> bytes:
    return entity_key(record["entities"], record["event_id"])


def _source_event(record: Mapping[str, Any]) -> bytes:
    if "source_event" in record:
        return str(record["source_event"]["event_id"]).encode()
    return str(record["source_event_id"]).encode()


#: rule name → key of a record. Two rules name the partition in the record itself: see PLACED
RULES: Final[dict[str, Callable[[Mapping[str, Any]], bytes]]] = {
    "entity": _entity,
    "flow_id": lambda record: str(record["flow_id"]).encode(),
    "merchant_id": lambda record: str(record["merchant_id"]).encode(),
    "subject_event_id": lambda record: str(record["subject_event_id"]).encode(),
    "source_event_id": _source_event,
    "decision_source_event_id": lambda record: _source_event(record["decision"]),
    "content_digest": lambda record: record["content_digest"].hex().encode(),
    "platform_run_id": lambda record: str(record["pins"]["platform_run_id"]).encode(),
    "entity_and_id": lambda record: f"{record['entity']}:{record['id']}".encode(),
    "place": lambda record: f"{record['topic']}:{record['partition']}:{record['offset']}".encode(),
    "every_partition": lambda record: str(record["pins"]["platform_run_id"]).encode(),
    "shard": lambda record: str(record["shard"]).encode(),
}

#: rules whose partition is a field of the record: a mark goes to the partition it speaks of, a journal record to its shard's
PLACED: Final[dict[str, str]] = {"every_partition": "partition", "shard": "shard"}


def key_of(rule: str, record: Mapping[str, Any]) -> bytes:
    """Kafka key of a record under a named rule."""
    return RULES[rule](record)


def partition_of(rule: str, record: Mapping[str, Any], partitions: int) -> int:
    """Partition of a record under a named rule."""
    if rule in PLACED:
        return int(record[PLACED[rule]])
    return partition_for(key_of(rule, record), partitions)


def partition_for(key: bytes, partitions: int) -> int:
    """Kafka's default partition of a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """32-bit murmur2 with Kafka's seed, as an unsigned integer."""
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if length & 3:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
