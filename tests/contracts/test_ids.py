"""Ids: golden vectors, and what they do and do not depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts import ids
from assay.contracts.pins import Pins

RUN = "platform_20260101T000000Z"
PINS = Pins(RUN, ids.scenario_run_id("example-key"), "a" * 64, "b" * 64, "baseline_v1", 42)
ROW = ("s3_event_stream_with_fraud_6B", (42, "a" * 64, "baseline_v1", 7, 0))
HASH32 = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (ids.scenario_run_id("example-key"), "2b88459257839f87c28f07cd3522edd7"),
        (ids.attempt_id(ids.scenario_run_id("example-key"), 1), "3773873d3b7ab8c996474d9772999c50"),
        (ids.scenario_set_id(["stress", "baseline", "stress"]), "scnset_9b4791e078cca7c9"),
        (ids.ready_message_id(RUN, PINS.scenario_run_id, "c" * 64), "b6100b836eb8a8c0ddb1b5d52ecca294816d0f7a032fb1a2a21e361772635e01"),
        (ids.world_event_id(*ROW, PINS), "310d2a501cbfc2c3bd178a291850ac3dcc574bcfe4d28f24464342e35903898d"),
        (ids.dedupe_key(RUN, "traffic_fraud", "evt-1").hex(), "37b9b6b3dc10ddb53bde6972b7b660699cb6a11992ba703f44e61e3c6d44d3ed"),
        (ids.receipt_id("ADMIT", "evt-1"), "236792a706d2539ee6047a70c82b406f"),
        (ids.receipt_id("DUPLICATE", "evt-1"), "ba5896a957aa664bb8bc1895b46bfd27"),
        (ids.receipt_id("QUARANTINE", "evt-1"), "25bc3971d2c30e439023cce5058ae55e"),
        (
            ids.checkpoint_scope("p" * 64, RUN, PINS.scenario_run_id, 1, 0),
            "16406ff8f4e8961d427f27753aca36b59af6d203f4ca48f9c46168793cd44e26",
        ),
    ],
)
def test_golden_vectors(computed: str, expected: str) -> None:
    """Values computed once, outside this code."""
    assert computed == expected


@given(HASH32, HASH32, st.text(st.characters(codec="utf-8"), min_size=1, max_size=256))
def test_a_kernel_that_hashes_prefix_and_event_id_gives_the_ids(pins: bytes, policy: bytes, event_id: str) -> None:
    """The promise of the prefixes: sha256(prefix ‖ event_id)."""
    event = event_id.encode()
    assert ids.decision_id(pins, policy, event_id) == hashlib.sha256(ids.decision_id_prefix(pins, policy) + event).digest()[:16]
    assert ids.idempotency_key(pins, event_id) == hashlib.sha256(ids.idempotency_key_prefix(pins) + event).digest()
    assert ids.dedupe_key(RUN, "traffic", event_id) == hashlib.sha256(ids.dedupe_prefix(RUN, "traffic") + event).digest()


def test_conflicting_actions_on_one_event_share_the_key_and_differ_in_id() -> None:
    """The effector sees one key, the ledger two actions."""
    key = ids.idempotency_key(PINS.digest, "evt-1")
    assert ids.action_id(key, "ALLOW") != ids.action_id(key, "DECLINE")
    assert ids.outcome_id(ids.action_id(key, "ALLOW"), "EXECUTED") != ids.outcome_id(ids.action_id(key, "ALLOW"), "FAILED")


def test_a_world_row_keeps_its_id_in_another_run() -> None:
    """Run ids take no part; world ids do."""
    other_run = Pins("platform_20270101T000000Z", "f" * 32, PINS.manifest_fingerprint, PINS.parameter_hash, PINS.scenario_id, PINS.seed)
    other_world = Pins(RUN, PINS.scenario_run_id, "d" * 64, PINS.parameter_hash, PINS.scenario_id, PINS.seed)
    assert ids.world_event_id(*ROW, other_run) == ids.world_event_id(*ROW, PINS)
    assert ids.world_event_id(*ROW, other_world) != ids.world_event_id(*ROW, PINS)


def test_an_audit_id_changes_with_either_body() -> None:
    """Bytes moved from one body to the other do not cancel out."""
    assert len({ids.audit_id(b"ab", b"c"), ids.audit_id(b"a", b"bc"), ids.audit_id(b"ab", b"")}) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda: ids.decision_id(b"short", bytes(32), "evt"),
        lambda: ids.decision_id(bytes(32), bytes(31), "evt"),
        lambda: ids.idempotency_key(bytes(33), "evt"),
        lambda: ids.action_id(bytes(16), "ALLOW"),
        lambda: ids.outcome_id(bytes(32), "EXECUTED"),
    ],
)
def test_a_part_of_another_width_is_a_programming_error(call: Callable[[], bytes]) -> None:
    """Fixed widths are what keeps two inputs from sharing bytes."""
    with pytest.raises(ValueError, match="bytes given where the recipe takes"):
        call()
