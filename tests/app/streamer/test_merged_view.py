"""Payments and labels of a world are one sequence by event time that can be read from any position in any portions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_runs import config_of
from small_worlds import ROWS, small_world

from assay.app.oracle.sealed_world import SealedWorld
from assay.app.streamer.envelopes import Framer
from assay.app.streamer.merged_view import MergedView
from assay.contracts.canonical import canonical
from assay.contracts.envelope import check
from assay.contracts.errors import Stop

DAY_US = 86_400_000_000


def _view(world: SealedWorld, delay_us: int = 7 * DAY_US) -> MergedView:
    config = config_of(world.manifest)
    return MergedView(world, Framer(config.pins, config.run_id), delay_us)


def _read(view: MergedView, rows_max: int = 10_000, position: int = 0) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while (batch := view.take(position, rows_max)) is not None:
        events += json.loads(batch.body)
        position = batch.end
    return events


def test_every_envelope_conforms_to_the_contract(tmp_path: Path) -> None:
    for event in _read(_view(small_world(tmp_path))):
        assert check(event) is None


def test_payments_and_labels_come_in_event_time_order(tmp_path: Path) -> None:
    events = _read(_view(small_world(tmp_path), DAY_US))
    assert [event["ts_utc"] for event in events] == sorted(event["ts_utc"] for event in events)
    assert [event["event_type"] for event in events] == ["transaction"] * 3 + ["transaction"] + ["label_assertion"] * 3


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
    labels = [event for event in _read(_view(world)) if event["event_type"] == "label_assertion"]
    assert [label["payload"]["subject_event_id"] for label in labels] == ids
    assert [label["source_order"] for label in labels] == list(range(1, count + 1))


def test_a_label_stands_before_a_payment_of_the_same_time(tmp_path: Path) -> None:
    from_the_second_payment_to_the_transfer_us = DAY_US - 29_500_000
    events = _read(_view(small_world(tmp_path), from_the_second_payment_to_the_transfer_us))
    assert events[3]["ts_utc"] == events[4]["ts_utc"]
    assert [event["event_type"][0] for event in events] == ["t", "t", "t", "l", "t", "l", "l"]


def test_labels_are_observed_after_the_delay_and_carry_their_subject(tmp_path: Path) -> None:
    events = {event["event_id"]: event for event in _read(_view(small_world(tmp_path)))}
    labels = [event for event in events.values() if event["event_type"] == "label_assertion"]
    assert sorted(label["payload"]["label"] for label in labels) == ["FRAUD", "LEGIT", "LEGIT"]
    for label in labels:
        subject = events[label["payload"]["subject_event_id"]]
        assert subject["ts_utc"] == label["payload"]["subject_ts_utc"]
        assert label["ts_utc"] == subject["ts_utc"].replace("04-01", "04-08")
        assert label["payload"]["source"] == "world_truth"


def test_labels_with_their_own_time_are_told_then(tmp_path: Path) -> None:
    rows = {**ROWS, "why": ["2018-04-05T00:00:00Z"] * 4}
    truth = {"column": "fraud", "positive": ["yes"], "time": {"column": "why"}, "emit": "all"}
    labels = [event for event in _read(_view(small_world(tmp_path, rows, truth=truth))) if event["event_type"] == "label_assertion"]
    assert {label["ts_utc"] for label in labels} == {"2018-04-05T00:00:00.000000Z"}


def test_only_positive_labels_are_sent_when_the_mapping_says_so(tmp_path: Path) -> None:
    truth = {"column": "fraud", "positive": ["yes"], "delay": "7d", "emit": "positive"}
    events = _read(_view(small_world(tmp_path, truth=truth)))
    assert [event["payload"]["label"] for event in events if event["event_type"] == "label_assertion"] == ["FRAUD"]


def test_a_world_without_truth_has_payments_only(tmp_path: Path) -> None:
    view = _view(small_world(tmp_path, truth=None))
    assert (view.total, view.labels) == (4, 0)
    assert {event["event_type"] for event in _read(view)} == {"transaction"}


def test_truth_is_in_no_payment(tmp_path: Path) -> None:
    for event in _read(_view(small_world(tmp_path))):
        if event["event_type"] == "transaction":
            text = json.dumps(event["payload"])
            assert "fraud" not in text
            assert "stolen" not in text


def test_nulls_are_left_out_and_text_is_escaped(tmp_path: Path) -> None:
    payments = [event["payload"] for event in _read(_view(small_world(tmp_path))) if event["event_type"] == "transaction"]
    transfer = next(payment for payment in payments if payment["kind"] == "transfer")
    assert transfer == {
        "kind": "transfer",
        "amount_minor": 99_999_999_999,
        "currency": "EUR",
        "entities": {"customer": "8"},
        "attributes": {"channel": 'quote " and ü'},
    }
    assert sum("channel" not in payment["attributes"] for payment in payments) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20), min_size=4, max_size=4),
)
def test_any_text_survives_framing(tmp_path: Path, texts: list[str]) -> None:
    payments = _read(_view(small_world(tmp_path, {**ROWS, "channel": texts}, truth=None)))
    assert sorted(payment["payload"]["attributes"]["channel"] for payment in payments) == sorted(texts)
    for payment in payments:
        canonical(payment)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part_rows=st.integers(1, 5),
    portions=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    start=st.integers(0, 7),
    delay_us=st.sampled_from([1, 30_000_000, DAY_US, 7 * DAY_US]),
)
def test_any_portions_from_any_position_give_the_same_sequence(
    tmp_path_factory: pytest.TempPathFactory, part_rows: int, portions: list[int], start: int, delay_us: int
) -> None:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assay.app.oracle.importer.PART_ROWS", part_rows)
        world = small_world(folder)
    whole = _read(_view(world, delay_us))
    assert len(whole) == 7
    view, position = _view(world, delay_us), start
    got: list[dict[str, Any]] = []
    while True:
        next_us = view.next_us(position)
        batch = view.take(position, portions[len(got) % len(portions)])
        if batch is None:
            assert next_us is None
            break
        assert batch.next_us == view.next_us(batch.end)
        assert batch.rows == batch.end - position
        got += json.loads(batch.body)
        position = batch.end
    assert got == whole[start:]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(widths=st.lists(st.integers(0, 900), min_size=4, max_size=4), rows_max=st.integers(1, 8), spare=st.integers(0, 2_000))
def test_a_body_is_never_over_its_limit_and_no_row_is_lost(tmp_path: Path, widths: list[int], rows_max: int, spare: int) -> None:
    view = _view(small_world(tmp_path, {**ROWS, "channel": ["ü" * width for width in widths]}))
    alone = [view.take(position, 1) for position in range(view.total)]
    bytes_max = max(len(batch.body) for batch in alone if batch) + spare
    position, got = 0, []
    while (batch := view.take(position, rows_max, bytes_max=bytes_max)) is not None:
        assert len(batch.body) <= bytes_max
        assert batch.rows == batch.end - position == len(json.loads(batch.body))
        assert batch.next_us == view.next_us(batch.end)
        got += json.loads(batch.body)
        position = batch.end
    assert got == _read(view)


def test_a_body_of_just_the_limit_is_whole_and_one_byte_less_cuts_the_last_row(tmp_path: Path) -> None:
    view = _view(small_world(tmp_path))
    whole = view.take(0, 100)
    assert whole is not None
    just, less = (view.take(0, 100, bytes_max=len(whole.body) - spare) for spare in (0, 1))
    assert just == whole
    assert less is not None
    assert less.rows == whole.rows - 1


def test_a_row_that_no_call_can_hold_is_refused_by_name_after_those_before_it(tmp_path: Path) -> None:
    view = _view(small_world(tmp_path, {**ROWS, "channel": ["web", None, "x" * 900, "web"]}))
    wide = _read(view)[3]
    taken = [view.take(position, 100, bytes_max=1_500) for position in (0, 2)]
    assert [batch.rows for batch in taken if batch] == [2, 1]
    with pytest.raises(Stop, match=f"BODY_OVER_LIMIT: the transaction {wide['event_id']} of {wide['ts_utc']}") as refusal:
        view.take(3, 100, bytes_max=1_500)
    assert refusal.value.remedy


def test_nothing_later_than_asked_for_is_taken(tmp_path: Path) -> None:
    view = _view(small_world(tmp_path))
    first_us = view.next_us(0)
    assert first_us is not None
    assert view.take(0, 100, first_us - 1) is None
    batch = view.take(0, 100, first_us)
    assert batch is not None
    assert batch.rows == 1


def test_the_end_is_after_every_row(tmp_path: Path) -> None:
    view = _view(small_world(tmp_path))
    last = json.loads((view.take(view.total - 1, 1) or pytest.fail("no last row")).body)[0]
    assert last["event_type"] == "label_assertion"
    assert view.next_us(view.total) is None
    assert view.end_us == 1_522_540_831_000_000 + 7 * DAY_US + 1


def test_a_label_delay_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="LABEL_NOT_AFTER_PAYMENT"):
        _view(small_world(tmp_path), 0)
