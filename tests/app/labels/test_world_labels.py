"""The labels of a world come in the order in which they are known, never before, and keep their ids and places in every run."""

from __future__ import annotations

from pathlib import Path

import pytest
from sent_sequences import DAY_US, labels_of, payments_of, read
from small_worlds import ROWS, small_world

from assay.contracts.envelope import check
from assay.contracts.errors import Stop

#: of the small world, as versions before the delivery sent them beside the payments
KNOWN_IDS = {"e60333f078012739", "cf86a4cfd2b132ec", "d90d8bcd344111c6"}


def test_every_envelope_conforms_to_the_contract(tmp_path: Path) -> None:
    events = read(labels_of(small_world(tmp_path)))
    assert [check(event) for event in events] == [None] * 3
    assert {event["producer"] for event in events} == {"label_delivery"}


def test_labels_keep_the_ids_that_they_have_always_had(tmp_path: Path) -> None:
    assert {event["event_id"][:16] for event in read(labels_of(small_world(tmp_path)))} == KNOWN_IDS


def test_labels_of_one_time_stand_in_the_order_of_their_payments_and_say_so(tmp_path: Path) -> None:
    count = 40
    rows = {
        **{name: [ROWS[name][0]] * count for name in ROWS},
        "id": [f"p{number}" for number in range(count)],
        "why": [""] * count,
        "shop": ["m"] * count,
    }
    world = small_world(tmp_path, rows)
    ids = world.stream_part(world.manifest.stream_view[0])["event_id"].to_list()
    labels = read(labels_of(world))
    assert [label["payload"]["subject_event_id"] for label in labels] == ids
    assert [label["source_order"] for label in labels] == list(range(1, count + 1))


def test_labels_are_observed_after_the_delay_and_carry_their_subject(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    payments = {event["event_id"]: event for event in read(payments_of(world))}
    labels = read(labels_of(world))
    assert sorted(label["payload"]["label"] for label in labels) == ["FRAUD", "LEGIT", "LEGIT"]
    for label in labels:
        subject = payments[label["payload"]["subject_event_id"]]
        assert subject["ts_utc"] == label["payload"]["subject_ts_utc"]
        assert label["ts_utc"] == subject["ts_utc"].replace("04-01", "04-08")
        assert label["payload"]["source"] == "world_truth"


def test_labels_with_their_own_time_are_told_then(tmp_path: Path) -> None:
    rows = {**ROWS, "why": ["2018-04-05T00:00:00Z"] * 4}
    truth = {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}, "emit": "all"}
    assert {label["ts_utc"] for label in read(labels_of(small_world(tmp_path, rows, truth=truth)))} == {"2018-04-05T00:00:00.000000Z"}


def test_only_positive_labels_are_sent_when_the_mapping_says_so(tmp_path: Path) -> None:
    truth = {"column": "fraud", "positive": ["yes"], "delay": "7d", "emit": "positive"}
    assert [label["payload"]["label"] for label in read(labels_of(small_world(tmp_path, truth=truth)))] == ["FRAUD"]


def test_a_world_without_truth_has_no_labels_and_an_end_after_its_payments(tmp_path: Path) -> None:
    world = small_world(tmp_path, truth=None)
    labels = labels_of(world)
    assert (labels.total, labels.next_us(0), labels.end_us) == (0, None, world.manifest.max_ts_us + 1)


def test_payments_are_read_without_truth_and_labels_without_payments(tmp_path: Path) -> None:
    """So a process can be kept from what it must not tell."""
    for kept, removed, rows in ((payments_of, "truth", 4), (labels_of, "stream_view", 3)):
        world = small_world(tmp_path / removed)
        parts = list((tmp_path / removed).rglob(f"{removed}/**/*.parquet"))
        assert parts
        for part in parts:
            part.unlink()
        assert len(read(kept(world))) == rows


def test_a_label_delay_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="LABEL_NOT_AFTER_PAYMENT"):
        labels_of(small_world(tmp_path), 0)


def test_a_paced_delivery_begins_with_the_first_payment_and_goes_on_at_the_last_label(tmp_path: Path) -> None:
    """So labels are not ahead of the payments of the same pace, and the days before the first one take their time."""
    world = small_world(tmp_path)
    labels = labels_of(world, DAY_US)
    assert labels.due_from_us(0) == world.manifest.min_ts_us
    assert [labels.due_from_us(position) for position in (1, 2, 3)] == [labels.next_us(position) for position in (0, 1, 2)]
