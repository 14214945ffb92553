"""What the decision digest covers, what it leaves out, and that batches do not show in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sample_decisions import PINS
from sample_decisions import decision_record as decision

from assay.codecs.columns import Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.single_object import pack
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


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
        _set("features.longs", [4, 2]),
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
