"""The payload hash of an event, as the gate's compiled types give it; `contracts.envelope.payload_hash` says what it is."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Final

import msgspec
from msgspec import UNSET

from assay.app.gate.border import ContextPayload, Payload, PaymentPayload
from assay.contracts.canonical import canonical

#: writes a payload with its keys in order
SORTED: Final = msgspec.json.Encoder(order="sorted")


def payload_hash(event_type: str, schema_version: str, payload: Payload) -> bytes:
    """sha256 of the canonical JSON of {event_type, payload, schema_version}, 32 bytes."""
    return payload_hash_of(event_type, schema_version, payload, SORTED.encode(payload))


def payload_hash_of(event_type: str, schema_version: str, payload: Payload, written: bytes) -> bytes:
    """The same. `written` is the payload by `SORTED`: the canonical JSON unless a character needs an escape of ASCII JSON."""
    if isinstance(payload, PaymentPayload | ContextPayload) and (payload.attributes is UNSET or None in payload.entities.values()):
        known = {name: entity for name, entity in payload.entities.items() if entity is not None}
        payload = msgspec.structs.replace(payload, entities=known, attributes=payload.attributes or {})
        written = SORTED.encode(payload)
    if not written.isascii() or b"\x7f" in written:
        written = canonical(msgspec.to_builtins(payload))
    head, tail = around_payload(event_type, schema_version)
    return hashlib.sha256(head + written + tail).digest()


@lru_cache(maxsize=64)
def around_payload(event_type: str, schema_version: str) -> tuple[bytes, bytes]:
    """What stands before and behind a payload in the JSON that its hash is of."""
    return f'{{"event_type":{quoted(event_type)},"payload":'.encode(), f',"schema_version":{quoted(schema_version)}}}'.encode()
