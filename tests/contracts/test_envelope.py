"""Event types and the payload hash; what the border says of each example is in test_examples.py."""

from __future__ import annotations

import hashlib

from assay.app.gate.policy import shipped_admission_policy
from assay.contracts.envelope import EVENT_TYPES, SCHEMA_VERSION, payload_hash
from assay.contracts.topics import topic


def test_every_event_type_ends_on_a_topic_that_carries_its_record() -> None:
    """No event type leads nowhere."""
    for event_type in EVENT_TYPES.values():
        assert event_type.record in topic(event_type.handle).records


def test_the_gates_policy_knows_the_same_event_types_and_classes() -> None:
    """The policy may not admit what the contracts do not define."""
    policy = shipped_admission_policy()
    assert {name: (rule.event_class, rule.payload) for name, rule in policy.known.items()} == {
        name: (found.event_class, found.record) for name, found in EVENT_TYPES.items()
    }
    assert all(SCHEMA_VERSION in rule.schema_versions for rule in policy.known.values())


def test_the_payload_hash_is_over_type_version_and_payload_only() -> None:
    """Written out once, by hand."""
    text = b'{"event_type":"transaction","payload":{"a":1},"schema_version":"v1"}'
    assert payload_hash("transaction", "v1", {"a": 1}) == hashlib.sha256(text).digest()
