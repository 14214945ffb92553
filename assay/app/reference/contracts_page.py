"""The page generated from the contracts: topics, records, schemas, event types and postures."""

from __future__ import annotations

from typing import Final

from assay.app.reference.markdown import GENERATED, table
from assay.contracts.avro_schemas import current, fingerprint_hex
from assay.contracts.envelope import EVENT_TYPES
from assay.contracts.json_schema import names, schema
from assay.contracts.posture import MASKS
from assay.contracts.topics import Topic, topics

_DAY_MS: Final = 86_400_000


def contracts_page() -> str:
    """Markdown of `docs/contracts.md`."""
    found = list(topics().values())
    parts = [
        "# Contracts",
        GENERATED,
        "## Topics",
        table(
            ("handle", "topic", "owner", "records (key rule)", "partitions", "kept", "refused records go to"),
            (_topic_row(t) for t in found),
        ),
        "A topic's name on the broker is the wiring's namespace followed by the topic string. `n*`: the wiring may set another number.",
        "## Who writes and reads what",
        "W: writes, R: reads. A component that is not listed here is refused (`PRODUCER_UNLISTED`, `CONSUMER_UNLISTED`).",
        _matrix(found),
        "## Records each component may write",
        table(("topic", "component", "records"), ((t.handle, who, ", ".join(what)) for t in found for who, what in t.producers.items())),
        "## Event types at the gate",
        table(
            ("event_type", "class", "topic", "record", "needs run_id"),
            ((name, e.event_class, e.handle, e.record, "yes" if e.needs_run_id else "no") for name, e in EVENT_TYPES.items()),
        ),
        "## Record schemas",
        table(
            ("record", "fingerprint (CRC-64-AVRO)", "meaning"),
            ((name, f"`{fingerprint_hex(s)}`", str(s.get("doc", ""))) for name, s in current().items()),
        ),
        "## Documents at HTTP and file borders",
        "JSON Schemas (draft 2020-12, closed) with accepted and refused examples.",
        table(("document", "meaning"), ((name, str(schema(name)["title"])) for name in names())),
        "## Postures",
        table(
            ("mode", "entity graph", "feature groups", "primary model", "second model", "heuristics", "actions"),
            (
                (mode, _yes(m[0]), ", ".join(m[1]) or "none", _yes(m[2]), _yes(m[3]), _yes(m[4]), m.action_posture)
                for mode, m in MASKS.items()
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _matrix(found: list[Topic]) -> str:
    components = sorted({who for t in found for who in (*t.producers, *t.consumers)})
    rows = ((who, *(_mark(who, t) for t in found)) for who in components)
    return table(("component", *(t.handle for t in found)), rows)


def _mark(who: str, found: Topic) -> str:
    return "".join(letter for letter, listed in (("W", found.producers), ("R", found.consumers)) if who in listed)


def _topic_row(found: Topic) -> tuple[str, ...]:
    kept = found.cleanup if found.retention_ms < 0 else f"{found.retention_ms // _DAY_MS} d"
    if found.retention_ms < 0 and found.cleanup == "delete":
        kept = "until a snapshot covers it"
    records = ", ".join(f"{name} ({rule})" for name, rule in found.records.items())
    number = f"{found.partitions}{'*' if found.partitions_scale else ''}"
    return found.handle, f"`{found.topic}`", found.owner, records, number, kept, found.dead_letter or "-"


def _yes(value: object) -> str:
    return "yes" if value else "no"
