"""The gate's policy: which event types and versions it admits and which columns it never lets through, with a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

import yaml

from assay.contracts import instants
from assay.contracts.canonical import document_digest
from assay.contracts.engine_events import ENGINE_EVENTS, engine_events
from assay.contracts.envelope import EVENT_TYPES
from assay.contracts.event_classes import LABEL, TRAFFIC
from assay.contracts.pins import PIN_NAMES
from assay.contracts.topics import topic
from assay.contracts.truth_names import plain_name

#: event class → handle of the topic its events end on. No run has all of them: see `AdmissionPolicy.topics`
TOPIC_OF_CLASS = {meaning.event_class: meaning.handle for meaning in EVENT_TYPES.values()}
#: event class → Avro record of its events
RECORD_OF_CLASS = {meaning.event_class: meaning.record for meaning in EVENT_TYPES.values()}


@dataclass(frozen=True, slots=True)
class EventRule:
    """What an event of one type must look like: class, payload record, versions allowed and pins required."""

    event_class: str
    payload: str
    schema_versions: frozenset[str]
    required_pins: frozenset[str]


@dataclass(frozen=True)
class AdmissionPolicy:
    """The policy document, read together with the contract's event types. Times in microseconds.

    `traffic` is that of the generated world whose rows the run streams, empty for a run of payments.
    """

    document: Mapping[str, Any]
    traffic: str = ""

    @cached_property
    def known(self) -> dict[str, EventRule]:
        """Event type → rule, of all runs."""
        return {name: _rule(name, versions) for name, versions in self.document["event_types"].items()}

    @cached_property
    def events(self) -> dict[str, EventRule]:
        """Event type → rule, of this run. A type that is not here is refused, never defaulted.

        A run has rows of one traffic or payments and facts, so that each of its topics has events, and marks, of one class.
        """
        rows = {event.output_id for event in engine_events(self.traffic)}
        return {
            name: rule
            for name, rule in self.known.items()
            if name in rows or rule.event_class == LABEL or (not self.traffic and name not in ENGINE_EVENTS)
        }

    @cached_property
    def topics(self) -> dict[str, str]:
        """Event class → handle of its topic, of this run."""
        return {rule.event_class: TOPIC_OF_CLASS[rule.event_class] for rule in self.events.values()}

    @property
    def labelled(self) -> str:
        """The class of the events that labels speak of."""
        return f"{TRAFFIC}_{self.traffic}" if self.traffic else TRAFFIC

    @cached_property
    def truth_columns(self) -> frozenset[str]:
        """Plain names of attributes and entities that no live row may carry."""
        return frozenset(plain_name(name) for name in self.document["truth_columns"])

    @cached_property
    def future_tolerance_us(self) -> int:
        """How far ahead of the gate's clock an event time may be."""
        return instants.duration_us(self.document["future_tolerance"])

    @cached_property
    def covered(self) -> dict[str, Any]:
        """All that says what this run's gate admits and where it goes: this document, the class map, and the key rules of the topics."""
        classes = {name: {**EVENT_TYPES[name]._asdict(), "pins": sorted(rule.required_pins)} for name, rule in self.events.items()}
        partitioning = {handle: dict(topic(handle).records) for handle in sorted(set(self.topics.values()))}
        return {"schema_policy": dict(self.document), "class_map": classes, "partitioning": partitioning}

    @cached_property
    def digest(self) -> str:
        """hex64 of what is `covered`."""
        return document_digest(self.covered).hex()

    @cached_property
    def revision(self) -> dict[str, str]:
        """`admission_policy` of every receipt."""
        return {"policy_id": self.document["policy_id"], "revision": self.document["revision"], "content_digest": self.digest}


def shipped_admission_policy(traffic: str = "") -> AdmissionPolicy:
    """The policy in this package, for runs of this traffic of a generated world, or of none."""
    text = resources.files("assay.contracts").joinpath("policies/gate/policy.yaml").read_text("utf-8")
    return AdmissionPolicy(yaml.safe_load(text), traffic)


def _rule(event_type: str, versions: list[str]) -> EventRule:
    meaning = EVENT_TYPES[event_type]
    required = (*PIN_NAMES, "run_id") if meaning.needs_run_id else PIN_NAMES
    return EventRule(meaning.event_class, meaning.record, frozenset(versions), frozenset(required))
