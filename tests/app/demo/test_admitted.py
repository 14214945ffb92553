"""How payments came into a run, counted where a crash may have left a trace of them; what came past the gate is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psycopg
import pytest
from records import PINS, TRAFFIC, chunk, label, mark, payment

from assay.app.demo.admitted import NAMED_MAX, Standing, entry
from assay.app.gate.horizon import Forgotten
from assay.app.gate.receipts import RECEIPTS
from assay.app.gate.spool import spool_of
from assay.app.report.evidence import Entry
from assay.app.report.receipted import admitted_receipts, count_receipts
from assay.app.stores.objects import DirectoryStore
from assay.contracts.ids import dedupe_key

pytestmark = pytest.mark.tier0
T_US = 1_767_225_600_000_000
RUN_ID = PINS.platform_run_id


def receipt(event_id: str, offset: int = -1, decision: str = "ADMIT", event_class: str = "traffic") -> bytes:
    """A receipt's line, as far as it is read."""
    place = {"topic": TRAFFIC, "partition": 0, "offset": str(offset), "offset_kind": "kafka_offset"}
    line = {"receipt_id": "1", "decision": decision, "event_id": event_id, "event_class": event_class}
    return json.dumps({**line, **({"eb_ref": place} if offset >= 0 else {})}).encode() + b"\n"


def index(claims: Mapping[str, tuple[bool, int | None, int | None]]) -> Callable[[Sequence[str]], Standing]:
    """The gate's index: event → (settled, partition, offset)."""
    return lambda events: {dedupe_key(RUN_ID, "traffic", event): claims[event] for event in events if event in claims}


def counted(
    folder: Path,
    receipts: Sequence[bytes],
    on_topic: Sequence[bytes],
    claims: Mapping[str, tuple[bool, int | None, int | None]],
    forgotten: Forgotten | None = None,
) -> Entry:
    """What is counted of a run with these receipts and this topic of one partition."""
    store = DirectoryStore(folder / "store")
    store.create(f"{RECEIPTS}/seg-000000000000-000006.ndjson", b"".join(receipts))
    return entry(admitted_receipts(store, folder), lambda: [chunk(TRAFFIC, list(on_topic))], index(claims), RUN_ID, "", forgotten)


def test_every_payment_with_a_receipt_or_on_the_topic_counts_once(tmp_path: Path) -> None:
    on_topic = [
        payment("receipted", T_US),
        payment("receipted", T_US),  # published again after a crash
        payment("killed before its receipt", T_US),
        mark(TRAFFIC, 0, T_US),
        b"what is no record",
        label("l", T_US, "receipted", T_US),
    ]
    sealed = [
        receipt("receipted", 0), receipt("receipted", 0), receipt("receipted", 0, "DUPLICATE"), receipt("refused", decision="QUARANTINE"),
        receipt("a fact", 9, event_class="context"), receipt("lost by the topic", 77),
    ]  # fmt: skip
    open_file = spool_of(tmp_path, RECEIPTS)
    open_file.parent.mkdir()
    open_file.write_bytes(receipt("not sealed yet", 78) + receipt("torn", 79)[:-9])
    found = counted(tmp_path, sealed, on_topic, {"killed before its receipt": (False, None, None)})
    payments = {"receipted", "killed before its receipt", "lost by the topic", "not sealed yet"}
    refused_by_the_lane = {"what is no record", "a label"}
    assert found.admitted == len(payments | refused_by_the_lane)
    assert found.receipts == count_receipts(DirectoryStore(tmp_path / "store"), tmp_path) == 3
    assert (found.without_receipt, found.unsettled, found.receipts_gone) == (3, 1, 0)
    assert found.named == (
        f"event {(TRAFFIC, 0)}@4: {TRAFFIC}[0] 4 came past the gate: its index does not know it",
        f"event {(TRAFFIC, 0)}@5: {TRAFFIC}[0] 5 came past the gate: its index does not know it",
    )


@pytest.mark.parametrize(
    ("receipts", "on_topic", "claims", "strangers", "gone", "unsettled"),
    [
        pytest.param([receipt("a", 0)], [payment("a", T_US)], {}, 0, 0, 0, id="admitted"),
        pytest.param([receipt("a", 0)], [payment("a", T_US), payment("forged", T_US)], {}, 1, 0, 0, id="past the gate"),
        pytest.param(
            [receipt("a", 1)], [payment("a", T_US, 9), payment("a", T_US)], {"a": (True, 0, 1)}, 1, 0, 0,
            id="past the gate, before a payment of the same id",
        ),
        pytest.param(
            [receipt("a", 0)], [payment("a", T_US), payment("a", T_US, 9)], {"a": (True, 0, 0)}, 1, 0, 0,
            id="past the gate, after a payment of the same id",
        ),
        pytest.param([], [payment("a", T_US)], {"a": (True, 0, 0)}, 0, 1, 0, id="a receipt deleted"),
        pytest.param([], [payment("a", T_US)], {"a": (False, None, None)}, 0, 0, 1, id="a gate killed before it wrote"),
        pytest.param([], [payment("a", T_US)], {"a": (True, None, None)}, 0, 0, 1, id="a publication nobody acknowledged"),
    ],
)  # fmt: skip
def test_what_lies_on_the_topic_without_a_receipt_is_looked_for_in_the_index(
    tmp_path: Path,
    receipts: list[bytes],
    on_topic: list[bytes],
    claims: dict[str, tuple[bool, int | None, int | None]],
    strangers: int,
    gone: int,
    unsettled: int,
) -> None:
    found = counted(tmp_path, receipts, on_topic, claims)
    assert (found.strangers, found.receipts_gone, found.unsettled) == (strangers, gone, unsettled)
    assert found.without_receipt == strangers + gone + unsettled
    assert len(found.named) == strangers + gone


def test_no_receipt_is_gone_while_the_last_ones_are_on_another_machine(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    on_topic = [payment("a", T_US), payment("forged", T_US)]
    claims = index({"a": (True, 0, 0)})
    found = entry(admitted_receipts(store, tmp_path), lambda: [chunk(TRAFFIC, on_topic)], claims, RUN_ID, "its gate is elsewhere")
    assert (found.receipts_gone, found.strangers, found.without_receipt) == (0, 1, 2)
    assert found.unasked == "its gate is elsewhere"


def test_all_strangers_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    found = counted(tmp_path, [], [payment(f"e{number}", T_US) for number in range(NAMED_MAX + 5)], {})
    assert (found.strangers, len(found.named)) == (NAMED_MAX + 5, NAMED_MAX)


def test_an_index_that_does_not_answer_leaves_the_number_and_the_reason(tmp_path: Path) -> None:
    def away(events: Sequence[str]) -> Standing:
        raise psycopg.OperationalError("connection refused")

    found = entry(admitted_receipts(DirectoryStore(tmp_path), tmp_path), lambda: [chunk(TRAFFIC, [payment("a", T_US)])], away, RUN_ID)
    assert (found.without_receipt, found.strangers) == (1, 0)
    assert found.unasked == "the gate's index does not answer: connection refused"


@pytest.mark.parametrize(
    ("before_us", "beyond", "strangers"),
    [(T_US, 0, 2), (T_US + 1, 1, 1), (T_US + 10**12, 1, 1)],
)
def test_a_record_older_than_what_the_index_has_forgotten_is_no_stranger(
    tmp_path: Path, before_us: int, beyond: int, strangers: int
) -> None:
    on_topic = [payment("receipted", T_US), payment("of nobody", T_US), b"what is no record", payment("settled", T_US)]
    known = {"settled": (True, 0, 3)}
    found = counted(tmp_path, [receipt("receipted", 0)], on_topic, known, Forgotten(before_us, 5))
    assert (found.beyond, found.strangers, found.receipts_gone) == (beyond, strangers, 1)
    assert found.forgotten == 5 and found.forgotten_before_utc.startswith("2026-01-")
    assert len(found.named) == strangers + 1


@pytest.mark.parametrize(("forgotten", "admitted"), [(None, 2), (Forgotten(T_US, 1), 3)])
def test_a_payment_that_was_admitted_again_after_it_was_forgotten_counts_again(
    tmp_path: Path, forgotten: Forgotten | None, admitted: int
) -> None:
    on_topic = [payment("a", T_US), payment("b", T_US), payment("a", T_US)]
    receipts = [receipt("a", 0), receipt("a", 0), receipt("b", 1), receipt("a", 2)]
    found = counted(tmp_path, receipts, on_topic, {}, forgotten)
    assert (found.admitted, found.receipts, found.without_receipt) == (admitted, 2, 0)
