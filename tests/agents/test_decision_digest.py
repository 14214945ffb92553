"""What the decision digest covers, what it leaves out, and that batches do not show in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assay.agents.decision_digest import DecisionDigest
from assay.codecs.columns import Strings
from assay.codecs.single_object import pack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

PINS = {
    "platform_run_id": "platform_20260101T000000Z",
    "scenario_run_id": b"\0" * 16,
    "manifest_fingerprint": b"\1" * 32,
    "parameter_hash": b"\2" * 32,
    "scenario_id": "sample",
    "seed": 7,
}


def decision(event_id: str) -> dict[str, Any]:
    revision = {"policy_id": "p", "revision": "1", "content_digest": b"\3" * 32}
    return {
        "decision_id": b"\4" * 16,
        "source_event": {"event_id": event_id, "event_type": "transaction", "ts_utc": 5, "topic": "T", "partition": 0, "offset": 9},
        "outcome": "STEP_UP",
        "score": 35,
        "reasons": ["MANY", "NIGHT"],
        "features": {"longs": [1, -2], "doubles": [0.5]},
        "snapshot_hash": b"\5" * 32,
        "intent": {"action_id": b"\6" * 16, "action_kind": "STEP_UP", "idempotency_key": b"\7" * 32},
        "row": 3,
        "pins": PINS,
        "decided_at_utc": 6,
        "feature_set": revision,
        "policy": revision,
        "bundle_ref": {"bundle_id": "rules", "bundle_version": "1"},
        "posture": {"mode": "NORMAL", "posture_seq": 1, "policy_rev": "r", "trust": "TRUSTED"},
        "run_config_digest": b"\x08" * 32,
        "basis": {"shard": 0, "epoch": 1, "sequence": 2, "offsets": [{"topic": "T", "partition": 0, "next_offset": 10}]},
    }


def digest(*batches: list[dict[str, Any]]) -> str:
    found = DecisionDigest()
    for batch in batches:
        found.update(Strings.of([pack("decision_response", record) for record in batch]))
    return found.hexdigest()


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for step in way:
            record[step] = dict(record[step])
            record = record[step]
        record[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("source_event.event_id", "other"),
        _set("outcome", "ALLOW"),
        _set("score", 36),
        _set("reasons", ["NIGHT", "MANY"]),
        _set("features.longs", [1, -3]),
        _set("features.doubles", [0.5000000000000001]),
        _set("policy.content_digest", b"\x09" * 32),
    ],
)
def test_what_was_decided_and_from_what_is_covered(change: Callable[[dict[str, Any]], None]) -> None:
    other = decision("a")
    change(other)
    assert digest([other]) != digest([decision("a")])


@pytest.mark.parametrize(
    "change",
    [
        _set("decision_id", b"\0" * 16),
        _set("decided_at_utc", 99),
        _set("row", 0),
        _set("source_event.offset", 77),
        _set("source_event.partition", 2),
        _set("basis.epoch", 9),
        _set("basis.offsets", []),
        _set("pins.platform_run_id", "platform_20270101T000000Z"),
        _set("feature_set.revision", "renamed"),
    ],
)
def test_where_and_when_it_was_decided_is_not_covered(change: Callable[[dict[str, Any]], None]) -> None:
    other = decision("a")
    change(other)
    assert digest([other]) == digest([decision("a")])


def test_order_counts_and_batches_do_not() -> None:
    a, b, c = decision("a"), decision("b"), decision("c")
    assert digest([a, b, c]) == digest([a], [], [b, c])
    assert digest([a, b, c]) != digest([b, a, c])


def test_a_value_that_is_no_decision_is_refused() -> None:
    mark = pack("mark", {"pins": PINS, "topic": "T", "partition": 0, "ts_utc": 1, "final": False})
    with pytest.raises(Stop) as refusal:
        DecisionDigest().update(Strings.of([pack("decision_response", decision("a")), mark]))
    assert refusal.value.reason is Reason.RECORD_TYPE_UNEXPECTED
    assert "value 1" in refusal.value.what
