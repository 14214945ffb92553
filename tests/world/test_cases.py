"""Cases: flows of one owner near in time are one case, held against the rules in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_flows import START_US, flows_of, scene_of

from assay.engine.scenario import DAY_US
from assay.engine.truth.state import OPENINGS, TIMELINE, timeline

HOUR_US = DAY_US // 24
OWNERS = ("instrument_id", "account_id", "party_id", "merchant_id")
STEPS = ("DETECTION_EVENT_ATTACHED", "CUSTOMER_DISPUTE_FILED", "CHARGEBACK_INITIATED", "CHARGEBACK_DECISION")


def openings_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Openings with the fields given, -1 and null elsewhere."""
    blank: dict[str, Any] = {**dict.fromkeys(OWNERS), "detected_us": -1, "disputed_us": -1, "charged_back_us": -1, "decided_us": -1}
    schema = {column.name: pl.Int64 for column in OPENINGS.columns}
    filled = [{"flow_id": 100 + number, **blank, **row} for number, row in enumerate(rows)]
    return pl.DataFrame(filled, schema=schema)


def cases_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The timeline of openings."""
    return timeline(scene_of(flows_of(10, ["NONE"]), openings_of(rows)), 0)[TIMELINE.output_id]


def kinds(events: pl.DataFrame) -> list[str]:
    """Event types in order."""
    return events.sort("case_id", "case_event_seq")["case_event_type"].cast(pl.String).to_list()


OPENING = st.builds(
    lambda owner, hour, steps: {"instrument_id": owner, "opened_us": START_US + hour * HOUR_US, **_steps(START_US + hour * HOUR_US, steps)},
    st.integers(1, 3),
    st.integers(0, 24 * 80),
    st.lists(st.integers(0, 24 * 20), max_size=4),
)


def _steps(opened_us: int, hours: list[int]) -> dict[str, int]:
    names = ("detected_us", "disputed_us", "charged_back_us", "decided_us")
    return {name: opened_us + hour * HOUR_US for name, hour in zip(names, sorted(hours), strict=False)}


@given(st.lists(OPENING, min_size=1, max_size=25))
def test_cases_follow_their_rules(rows: list[dict[str, Any]]) -> None:
    events = cases_of(rows)
    flows = {100 + number: row for number, row in enumerate(rows)}
    assert events["case_event_seq"].equals(events.select(pl.int_range(pl.len()).over("case_id")).to_series().rename("case_event_seq"))
    for _, case in events.group_by("case_id"):
        times, names = case["ts_utc"].dt.epoch("us").to_list(), kinds(case)
        assert times == sorted(times)
        assert (names[0], names[-1]) == ("CASE_OPENED", "CASE_CLOSED")
        assert names.count("CASE_OPENED") == 1
        assert names.count("CASE_CLOSED") == names.count("CASE_REOPENED") + 1
        assert len({flows[flow]["instrument_id"] for flow in case["flow_id"]}) == 1
        for at, name in enumerate(names):
            if name == "CASE_REOPENED":
                closed = max(ts for ts, one in zip(times[:at], names[:at], strict=True) if one == "CASE_CLOSED")
                assert 0 <= times[at] - closed <= 7 * DAY_US
    told = sum(row.get(name, -1) >= 0 for row in flows.values() for name in ("detected_us", "disputed_us", "charged_back_us", "decided_us"))
    assert sum(kind in STEPS for kind in kinds(events)) == told
    assert kinds(events).count("CASE_OPENED") == len(_cases_in_python(flows, events))


def _cases_in_python(flows: dict[int, dict[str, Any]], events: pl.DataFrame) -> list[int]:
    """Openings that begin a case, by the ends that the timeline tells."""
    ends = events.filter(pl.col("case_event_type").is_in(["CASE_CLOSED"]))
    by_owner: dict[int, list[int]] = {}
    for flow, ts in zip(ends["flow_id"], ends["ts_utc"].dt.epoch("us"), strict=True):
        by_owner.setdefault(flows[flow]["instrument_id"], []).append(ts)
    begun = []
    for owner in {row["instrument_id"] for row in flows.values()}:
        theirs = sorted((row["opened_us"], flow) for flow, row in flows.items() if row["instrument_id"] == owner)
        closed = sorted(by_owner[owner])
        window_us = end_us = -1
        for opened_us, flow in theirs:
            if window_us >= 0 and (opened_us < end_us or opened_us <= window_us + 3 * DAY_US):
                continue
            if window_us < 0 or opened_us > end_us + 7 * DAY_US:
                begun.append(flow)
            window_us, end_us = opened_us, next(end for end in closed if end > opened_us)
    return begun


def test_flows_within_three_days_are_one_case() -> None:
    near = cases_of([{"instrument_id": 1, "opened_us": START_US}, {"instrument_id": 1, "opened_us": START_US + 3 * DAY_US}])
    assert kinds(near) == ["CASE_OPENED", "CASE_CLOSED"]


@pytest.mark.parametrize(("later_us", "again"), [(1, True), (7 * DAY_US, True), (7 * DAY_US + 1, False)])
def test_a_case_is_opened_again_within_seven_days_of_its_end(later_us: int, again: bool) -> None:
    first = {"instrument_id": 1, "opened_us": START_US, "detected_us": START_US + 5 * DAY_US}
    end_us = int(cases_of([first])["ts_utc"].dt.epoch("us").to_numpy().max())
    both = cases_of([first, {"instrument_id": 1, "opened_us": end_us + later_us}])
    second = "CASE_REOPENED" if again else "CASE_OPENED"
    assert sorted(kinds(both)) == sorted(["CASE_OPENED", "DETECTION_EVENT_ATTACHED", "CASE_CLOSED", second, "CASE_CLOSED"])


def test_the_owner_of_a_case_is_the_first_that_a_flow_has() -> None:
    both = {"opened_us": START_US, "account_id": 5, "party_id": 9}
    events = cases_of(
        [{**both, "instrument_id": 1}, {**both, "instrument_id": 2}, both, {**both, "party_id": 8}, {**both, "account_id": None}]
    )
    grouped = {tuple(sorted({*case["flow_id"]})) for _, case in events.group_by("case_id")}
    assert grouped == {(100,), (101,), (102, 103), (104,)}
    assert events["case_id"].n_unique() == 4


def test_no_opening_makes_no_case() -> None:
    assert len(cases_of([])) == 0


def test_case_ids_are_positive_and_one_per_case() -> None:
    rows = [{"instrument_id": number, "opened_us": START_US} for number in range(1, 2000)]
    events = cases_of(rows)
    assert events["case_id"].n_unique() == len(rows)
    assert int(np.min(events["case_id"].to_numpy())) > 0
