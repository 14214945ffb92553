"""What a body is, by its Content-Type, and what reads a body of events of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from functools import lru_cache
from typing import Final

from assay.app.gate.body_arrow import arrow_items
from assay.app.gate.body_avro import avro_items
from assay.app.gate.body_lines import lines_of
from assay.app.gate.border import items_of
from assay.app.gate.plain_payments import PlainItem
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

WHERE: Final = "Content-Type"
JSON: Final = "application/json"
#: reads a body: its bytes, and how many items it may hold
BodyReader = Callable[[bytes, int], Sequence[bytes | PlainItem]]
#: what a client sends that says nothing of its body (curl, a browser's fetch, aiohttp): it is taken for JSON
UNSAID: Final = frozenset({"", "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"})
_JSON: Final = UNSAID | {JSON, "text/json"}
#: media type that is documented → what reads it, of the call with many envelopes
BATCH_TYPES: Final[Mapping[str, BodyReader]] = {
    JSON: items_of,
    "application/x-ndjson": lines_of,
    "application/avro": avro_items,
    "application/vnd.apache.arrow.stream": arrow_items,
}
#: another name → the documented one
_ALSO: Final = {
    "application/ndjson": "application/x-ndjson",
    "application/jsonl": "application/x-ndjson",
    "avro/binary": "application/avro",
    **dict.fromkeys(_JSON, JSON),
}
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii"})


def check_json(content_type: str) -> None:
    """Raises Quarantine(MEDIA_TYPE_UNSUPPORTED) for a body that says it is no JSON in UTF-8."""
    named(content_type, (JSON,))


def batch_reader(content_type: str) -> BodyReader:
    """What reads a body of many envelopes. Raises Quarantine(MEDIA_TYPE_UNSUPPORTED)."""
    return BATCH_TYPES[named(content_type, tuple(BATCH_TYPES))]


@lru_cache(maxsize=256)
def named(content_type: str, taken: tuple[str, ...]) -> str:
    """The documented name of what a header says. Raises Quarantine(MEDIA_TYPE_UNSUPPORTED) for none of those that are taken here."""
    header = Message()
    header[WHERE] = content_type
    given = content_type.partition(";")[0].strip().lower()
    found = _ALSO.get(given, given)
    charset = str(header.get_param("charset", "", WHERE)).lower()
    if found in taken and charset in _CHARSETS:
        return found
    what = f"the body is {content_type!r}"
    remedy = f"Send {' or '.join(taken)}, in UTF-8 where it is text."
    raise Quarantine(Reason.MEDIA_TYPE_UNSUPPORTED, what, where=WHERE, remedy=remedy)
