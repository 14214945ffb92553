"""Receipts and quarantine records as lines: one durable line for every call's every item."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

import msgspec

from assay.app.gate.admission import Admissible, RefusedEvent, raw_of
from assay.app.gate.bus_search import FoundEvent
from assay.app.gate.policy import AdmissionPolicy
from assay.app.gate.standing import RecordMetadata, Verdict
from assay.contracts import instants
from assay.contracts.caller import BY_THE_BUS, Caller
from assay.contracts.ids import receipt_id
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

RECEIPTS, QUARANTINE = "ig/receipts", "ig/quarantine"
UNKNOWN_ID = "unknown"
ADMIT, DUPLICATE = "ADMIT", "DUPLICATE"


class LineShape(NamedTuple):
    """What many lines of admitted events share."""

    decision: str
    event_type: str
    event_class: str
    schema_version: Any
    partition: int
    actor: str


def shape_of(item: Admissible, verdict: Verdict, place: RecordMetadata, actor: str) -> LineShape:
    """The shape of the line of an event that is on the bus."""
    decision, envelope = DUPLICATE if verdict is Verdict.DUPLICATE else ADMIT, item.envelope
    return LineShape(decision, envelope.event_type, item.event_class, envelope.schema_version, place.partition, actor)


class ReceiptWriter:
    """Builds lines for one run under the gate's policy. `topics` maps event classes to topic names on the broker.

    Each line names the run's configuration, the policy that is in force in the run (`under`), and the gate's own policy.
    """

    def __init__(self, policy: AdmissionPolicy, pins: Pins, topics: Mapping[str, str], run_config_digest: bytes) -> None:
        self._topics = dict(topics)
        self._pins = {
            "platform_run_id": pins.platform_run_id,
            "scenario_run_id": pins.scenario_run_id,
            "manifest_fingerprint": pins.manifest_fingerprint,
        }
        self._run_config_digest, self._admission_policy = run_config_digest.hex(), dict(policy.revision)
        self._versions = {name: rule.schema_versions for name, rule in policy.events.items()}
        self._policy_rev: Mapping[str, str] = {}
        self._constant = ""
        self.under({"policy_id": "none", "revision": "0"})

    def under(self, policy_rev: Mapping[str, str]) -> None:
        """Name this policy of the run (`policy_id`, `revision`) in the lines from now on."""
        if policy_rev == self._policy_rev:
            return
        self._policy_rev = dict(policy_rev)
        constant = {
            **self._pins,
            "run_config_digest": self._run_config_digest,
            "policy_rev": self._policy_rev,
            "admission_policy": self._admission_policy,
        }
        self._constant = msgspec.json.encode(constant).decode()[1:]

    def admitted(self, item: Admissible, verdict: Verdict, place: RecordMetadata, at: str, actor: str) -> tuple[str, str]:
        """(receipt id, line) of an ADMIT or, with the place of the first, a DUPLICATE. `at` is an instant's text.

        `actor` is `actor_json` of the call: put into words once for all its items. `receipt_lines` makes those of many items.
        """
        shape, envelope = shape_of(item, verdict, place, actor), item.envelope
        receipt = receipt_id(shape.decision, envelope.event_id)
        own = receipt, quoted(envelope.event_id), envelope.ts_utc, item.payload_hash.hex(), str(place.offset)
        begin, *others = self.around(shape, at)
        return receipt, begin + "".join([part for pair in zip(own, others, strict=True) for part in pair])

    def around(self, shape: LineShape, at: str) -> tuple[str, ...]:
        """What stands around the parts of a line that are its own: receipt id, event id (with its quotes), time, payload hash, offset."""
        before, behind = self._around_offset(shape.event_class, shape.partition)
        reasons = _DUPLICATE if shape.decision == DUPLICATE else ""
        return (
            '{"receipt_id":"',
            f'","decision":"{shape.decision}","event_id":',
            f',"event_type":"{shape.event_type}","event_class":"{shape.event_class}","ts_utc":"',
            f'","schema_version":"{shape.schema_version}","payload_hash":"',
            f'","eb_ref":{before}',
            f'{behind},"reason_codes":[{reasons}],"admitted_at_utc":"{at}","actor":{shape.actor},{self._constant}',
        )

    def found(self, event: FoundEvent, at: str) -> str:
        """The line of an ADMIT whose process died, or was told nothing: as the bus has it. It has the id that its own receipt has.

        The bus keeps neither schema version nor actor: the line names the version where the policy takes only one.
        """
        versions = self._versions.get(event.event_type, ())
        line = {
            "receipt_id": receipt_id("ADMIT", event.event_id),
            "decision": "ADMIT",
            "event_id": event.event_id,
            "event_type": event.event_type,
            "event_class": event.event_class,
            "ts_utc": instants.text(event.ts_us),
            "schema_version": next(iter(versions)) if len(versions) == 1 else UNKNOWN_ID,
            "payload_hash": event.payload_hash.hex(),
            "eb_ref": msgspec.Raw(self.eb_ref(event.event_class, event.place).encode()),
            "reason_codes": [],
            "admitted_at_utc": at,
            "actor": BY_THE_BUS._asdict(),
        }
        return f"{_json(line)[:-1]},{self._constant}"

    def eb_ref(self, event_class: str, place: RecordMetadata) -> str:
        """Where an event lies on the bus, as JSON; the offset is text, as in the reference."""
        before, behind = self._around_offset(event_class, place.partition)
        return f"{before}{place.offset}{behind}"

    def _around_offset(self, event_class: str, partition: int) -> tuple[str, str]:
        return f'{{"topic":"{self._topics[event_class]}","partition":{partition},"offset":"', '","offset_kind":"kafka_offset"}'

    def quarantined(self, refused: RefusedEvent, at: str, actor: str) -> tuple[str, str, str]:
        """(receipt id, receipt line, quarantine line). The quarantine line holds the whole item as it came.

        Items are told apart by what they hold, so no two share the id of their lines: two payloads under one event id have two.
        """
        receipt = receipt_id("QUARANTINE", f"{refused.event_id or UNKNOWN_ID}:{hashlib.sha256(refused.raw).hexdigest()}")
        named = {
            "event_id": refused.event_id or UNKNOWN_ID,
            "event_type": refused.event_type or UNKNOWN_ID,
            "event_class": refused.event_class or UNKNOWN_ID,
            "ts_utc": refused.ts_utc,
            "reason_codes": [refused.reason.value],
            "detail": refused.detail,
            "where": refused.where,
            "remedy": refused.remedy,
        }
        record: dict[str, Any] = {"quarantine_id": receipt, "decision": "QUARANTINE", "received_at_utc": at, **named}
        record["actor"] = told = msgspec.Raw(actor.encode())
        record |= {
            "manifest_fingerprint": self._pins["manifest_fingerprint"],
            "policy_rev": self._policy_rev,
            "admission_policy": self._admission_policy,
            **_as_it_came(refused.raw),
        }
        evidence = [{"kind": "quarantine_record", "ref": f"{QUARANTINE}#{receipt}"}]
        line = {"receipt_id": receipt, "decision": "QUARANTINE", **named, "admitted_at_utc": at, "actor": told, "evidence_refs": evidence}
        return receipt, f"{_json(line)[:-1]},{self._constant}", _json(record)


def mismatch(item: Admissible) -> RefusedEvent:
    """The refusal of an event whose id was admitted before with another payload; the first stays authoritative."""
    envelope = item.envelope
    detail = f"event_id was admitted before with another payload; this one has payload_hash {item.payload_hash.hex()}"
    remedy = "Give another payment an id of its own; what was admitted is not changed."
    ids = envelope.event_id, envelope.event_type, item.event_class, envelope.ts_utc
    return RefusedEvent(raw_of(item), Reason.PAYLOAD_HASH_MISMATCH, detail, "$.event_id", remedy, *ids)


@lru_cache(1024)
def actor_json(caller: Caller) -> str:
    """The actor of every line of a call. Callers are few, so it is put into words once for each."""
    return msgspec.json.encode(caller._asdict()).decode()


_DUPLICATE = f'"{Reason.DUPLICATE.value}"'


def _as_it_came(raw: bytes) -> dict[str, Any]:
    """An object as itself, on one line and with its numbers' own text; anything else as base64."""
    try:
        if isinstance(
            json.loads(raw.decode()), dict
        ):  # given bytes, `loads` takes halves of surrogates, and a line with one cannot be read
            return {"envelope": msgspec.Raw(msgspec.json.format(raw, indent=-1))}
    except (ValueError, RecursionError, msgspec.DecodeError):
        pass
    return {"item_base64": base64.b64encode(raw).decode()}


def _json(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
