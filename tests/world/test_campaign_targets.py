"""Campaigns do what their templates aim at, as far as chance lets them; a plan that does not is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from assay_command import assay
from bank_worlds import bank, plan
from hypothesis import given
from hypothesis import strategies as st

from assay.app.stores.objects import DirectoryStore
from assay.app.world.campaigns import CATALOGUE, PLAN, TARGETS, campaign_figures, distance, distances
from assay.app.world.card import counts_of
from assay.app.world.corridors import shipped_corridors
from assay.app.world.generation import shipped_identity
from assay.app.world.measures import measured
from assay.app.world.other_seeds import OTHERS, figures_of_others, needed_for, plans
from assay.app.world.report import compared, held
from assay.app.world.world_page import world_page
from assay.engine.behaviour.campaign_document import Campaigns, Template
from assay.engine.behaviour.campaign_statistics import FIGURES, campaign_statistics
from assay.engine.parameters import shipped

LAWS = shipped("tiny").of(Campaigns).laws
TESTING, TAKEOVER, FAN_IN = "T_CARD_TESTING_BURST", "T_ATO_ACCOUNT_SWEEP", "T_LAUNDERING_FAN_IN"
SEEDS = 4
figure_lists = st.lists(st.floats(0, 1e9), min_size=5, max_size=5).map(np.array)


@pytest.mark.parametrize(
    ("found", "other", "expected"),
    [([2.0, 7.0], [2.0, 7.0], 0.0), ([0.0, 0.0], [3.0, 9.0], 2.0), ([1.0, 4.0], [3.0, 4.0], 0.5), ([0.0, 1.0], [0.0, 3.0], 0.5)],
)
def test_a_distance_is_the_mean_of_relative_differences(found: list[float], other: list[float], expected: float) -> None:
    assert distance(np.array(found), np.array(other)) == pytest.approx(expected)


@given(figure_lists, figure_lists)
def test_a_distance_is_the_same_both_ways_and_lies_between_0_and_2(found: Any, other: Any) -> None:
    assert distance(found, other) == distance(other, found)
    assert 0 <= distance(found, other) <= 2
    assert distance(found, found) == 0


def figures(amount: float, label: str = TESTING) -> pl.DataFrame:
    """Figures of one template, all at their targets of 1 but for the amount."""
    values = {**dict.fromkeys(FIGURES, 1.0), "amount": amount, **dict.fromkeys(TARGETS, 1.0)}
    return pl.DataFrame({"campaign_label": [label], "flows": [9], **{name: [value] for name, value in values.items()}})


def test_the_distance_between_seeds_is_the_mean_over_their_pairs() -> None:
    (found,) = distances(figures(3.0), [figures(1.0), figures(1.0), figures(5.0, FAN_IN)][:2])
    assert (found.to_target, found.between_seeds) == pytest.approx((0.2, 0.4 / 3))
    assert found.seeds == 3
    assert found.ratio == pytest.approx(1.5)


def test_a_seed_without_a_template_is_no_seed_of_it_and_two_seeds_are_too_few() -> None:
    own, fan_in = distances(figures(3.0), [figures(1.0), figures(1.0), figures(5.0, FAN_IN)])
    assert (own.label, own.seeds, fan_in.label, fan_in.seeds) == (TESTING, 3, FAN_IN, 1)
    assert fan_in.to_target == 2.0
    assert fan_in.ratio > 2


@cache
def others() -> list[pl.DataFrame]:
    """Figures of the tiny bank of some other seeds."""
    return list(figures_of_others(shipped("tiny"), 7, SEEDS))


def out(planned: pl.DataFrame) -> list[str]:
    """Templates of the tiny bank of seed 7 with another plan that lie outside of the corridor."""
    aims = campaign_figures(bank().maker.published).select("campaign_label", *TARGETS)
    own = campaign_statistics(planned).join(aims, on="campaign_label")
    return [one.name for one in held(list(distances(own, others())), shipped_corridors()) if not one.holds]


def slow(rows: pl.DataFrame) -> pl.DataFrame:
    """A payment a day, each through a device of its own."""
    number = pl.int_range(pl.len()).over("campaign_label")
    return rows.with_columns(ts_utc=pl.col("ts_utc") + pl.duration(days=number), device_id=number)


#: template → what is done to the plan of it
MISSED: list[tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = [
    (TESTING, slow),
    (TAKEOVER, lambda rows: rows.with_columns(device_id=pl.lit(1), ts_utc=pl.col("ts_utc").min())),
    (FAN_IN, lambda rows: rows.clear()),
]


def test_the_plan_of_the_tiny_bank_holds_its_targets() -> None:
    assert out(plan()) == []


@pytest.mark.parametrize(("label", "change"), MISSED)
def test_a_plan_whose_campaigns_miss_their_target_is_outside(label: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    mine = pl.col("campaign_label") == label
    assert out(pl.concat([plan().filter(~mine), change(plan().filter(mine)).cast(plan().schema)])) == [label]


def test_a_plan_made_without_payments_is_that_of_the_whole_world(tmp_path: Path) -> None:
    segments = needed_for((CATALOGUE, PLAN))
    assert sum(len(segment.states) for segment in segments) < sum(len(segment.states) for segment in bank().segments) - 5
    found = plans(DirectoryStore(tmp_path), bank().identity, bank().parameters, segments)
    for output in (CATALOGUE, PLAN):
        assert found.read(output, None, None).equals(bank().table(output)), output


def test_episodes_of_a_template_aim_at_the_mean_of_their_range() -> None:
    templates = [law for law in LAWS.values() if isinstance(law, Template)]
    assert [law for law in templates if law.target.burst_flows != sum(law.episode.flows) / 2] == []


def test_what_is_not_compared_says_why() -> None:
    own, identity = campaign_figures(bank().maker.published), shipped_identity(shipped("tiny"), 7)
    assert compared(identity, "tiny", own, 0)[1].startswith("Not measured: it takes the campaigns of other seeds.")
    another = replace(identity, manifest_fingerprint="a" * 64)
    assert compared(another, "tiny", own, SEEDS)[1].startswith("Not measured: another release made this world")
    assert set(OTHERS) == {"tiny", "small"}


def test_progress_counts_all_seeds() -> None:
    told: list[tuple[str, int, int]] = []
    for _ in figures_of_others(shipped("tiny"), 7, 2, lambda *one: told.append(one)):
        pass
    assert [done for _, done, _ in told] == list(range(1, told[0][2] + 1))
    assert {what for what, *_ in told} == {"campaigns of seed 8", "campaigns of seed 9"}


def test_a_page_without_the_comparison_says_why() -> None:
    view = bank().maker.published
    page = world_page(bank().identity, "tiny", measured(view), [], counts_of(view), campaign_figures(view), [], "Not measured: <why>")
    assert "Distance to the target: Not measured: &lt;why&gt;" in page
    assert "distance between two seeds" not in page


def test_one_other_seed_makes_no_distance(tmp_path: Path) -> None:
    ended = assay("world", "report", tmp_path, "--seeds", "1")
    assert ended.code == 2 and "at least 2 other seeds" in ended.err, ended.text
