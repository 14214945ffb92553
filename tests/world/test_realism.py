"""The tiny world behaves: every figure lies in its corridor, and the figures themselves tell what they say."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from reported_worlds import NAMES, NOW_US, Measures, reported

from assay.app.oracle.importer import import_world
from assay.app.oracle.mapping import load_mapping
from assay.app.stores.objects import DirectoryStore
from assay.app.world import pictures
from assay.app.world.card import CARD
from assay.app.world.difficulty import boosted_lift, merchant_lift, stump_recall
from assay.app.world.generation import SEGMENTS
from assay.app.world.measures import cramers_v, gini
from assay.app.world.payments import write_payments
from assay.app.world.words import kind, words_of
from assay.contracts.traffic_modes import BASELINE


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tiny world."""
    return tmp_path_factory.mktemp("world") / "report.html"


@pytest.fixture(scope="module")
def measures(page: Path) -> Measures:
    """The measures of the tiny world of seed 1, as `assay world report` takes them."""
    return reported(page.parent, "tiny", 1)


@pytest.mark.parametrize(("group", "name"), NAMES)
def test_a_figure_of_the_tiny_world_lies_in_its_corridor(measures: Measures, group: str, name: str) -> None:
    found = measures[group, name]
    assert found.holds, f"{found.value:g} is outside {found.least:g} to {found.most:g}"


def test_the_card_says_what_the_world_is_and_what_it_is_not_for(measures: Measures, page: Path) -> None:
    card = (page.parent / "pack" / CARD).read_text(encoding="utf-8")
    assert card.startswith("# A synthetic bank of scale tiny, seed 1\n")
    assert "| parties | 2,632 |" in card
    assert "| T_CARD_TESTING_BURST | CARD_TESTING | " in card
    assert [title for title in ("## Use it for", "## Do not use it for", "## How it drifts") if title not in card] == []


def test_the_payments_of_the_world_are_sealed_under_its_shipped_mapping(measures: Measures, page: Path) -> None:
    """The importer refuses a label that is not later than its payment, and truth on a live row."""
    file = page.parent / "payments.parquet"
    written = write_payments(DirectoryStore(page.parent / "pack"), SEGMENTS, file)
    world = import_world(file, load_mapping("world"), DirectoryStore(page.parent / "store"), NOW_US, lambda *_: None)
    told = world.manifest.truth_summary
    assert told is not None
    assert world.manifest.rows == len(written)
    assert told.emitted == written["bank_label"].is_in(["BANK_CONFIRMED_FRAUD", "CHARGEBACK_WRITTEN_OFF"]).sum() > 300
    assert written["bank_label"].null_count() > 0  # nobody opened a case


def test_the_payments_without_fraud_are_the_same_flows_and_nobody_doubts_them(measures: Measures, page: Path) -> None:
    store = DirectoryStore(page.parent / "pack")
    with_fraud = write_payments(store, SEGMENTS, page.parent / "fraud.parquet")
    without = write_payments(store, SEGMENTS, page.parent / "baseline.parquet", BASELINE)
    assert without.columns == with_fraud.columns
    assert without.schema == with_fraud.schema
    assert set(without["flow_id"]) == set(with_fraud["flow_id"])
    assert without["fraud_label"].unique().to_list() == ["LEGIT"]
    assert without.select(pl.col("bank_label", "known_us", "campaign_label").null_count()).row(0) == (len(without),) * 3
    both = without.join(with_fraud, on="flow_id", suffix="_fraud")
    moved = both.filter(pl.col("device_id") != pl.col("device_id_fraud"))
    assert len(moved) > 300
    assert moved["campaign_label_fraud"].null_count() == 0, "only campaigns change the devices of flows"


def test_the_page_stands_alone_and_shows_every_figure(measures: Measures, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("✓ within") == len(measures) == len(NAMES)
    assert [mark for mark in ("<script", "http:", "https:", "@import", "url(") if mark in text] == []
    assert text.count("<svg") > 40
    assert [words for words in map(words_of, measures.values()) if words.text not in unescape(text)] == []


def test_the_page_says_what_a_code_means(page: Path, measures: Measures) -> None:
    text = page.read_text(encoding="utf-8")
    shown = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
    assert [code for code in ("ATO", "T_", "MULE", "gini", "stump", "_share", "party", "flows") if code in shown] == []
    assert "account takeover" in shown
    assert "distance between two seeds" in shown


@pytest.mark.parametrize(("counts", "expected"), [([5, 5, 5, 5], 0.0), ([0, 0, 0, 12], 0.75), ([1, 3], 0.25)])
def test_gini_is_that_of_the_textbook(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected)


def test_cramers_v_is_one_where_the_code_tells_the_truth_and_nothing_where_it_does_not() -> None:
    truth = np.arange(1000) % 4 == 0
    assert cramers_v(truth, truth.astype(np.int64)) == pytest.approx(1.0)
    assert cramers_v(truth, np.arange(1000) // 4 % 2) == pytest.approx(0.0, abs=1e-9)


def planted(rows: int = 20_000) -> tuple[pl.DataFrame, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Numbers of which one tells every fraud, and the truth."""
    draws = np.random.Generator(np.random.PCG64(1))
    truth = draws.random(rows) < 0.02
    told = np.where(truth, 7.0, draws.integers(0, 7, rows))
    return pl.DataFrame({"told": told, "noise": draws.random(rows)}), truth


def test_a_column_that_tells_every_fraud_is_found() -> None:
    columns, truth = planted()
    assert stump_recall(columns.to_numpy(), truth) == pytest.approx(1.0)
    assert stump_recall(columns.select("noise").to_numpy(), truth) < 0.3
    later = np.arange(len(truth)) >= 12_000
    assert boosted_lift(columns.to_numpy(), truth, later) > 40
    assert boosted_lift(columns.select("noise").to_numpy(), truth, later) < 2


def test_merchants_that_have_the_fraud_are_found() -> None:
    rows = 20_000
    bad = [f"m{i % 50}" for i in range(rows)]
    truth = np.array([i % 50 == 7 and i % 3 == 0 for i in range(rows)])
    later = np.arange(rows) >= 12_000
    assert merchant_lift(bad, truth, later) > 10
    assert merchant_lift(bad, np.arange(rows) % 37 == 0, later) < 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("T_CARD_TESTING_BURST", "card testing"),
        ("ATO", "account takeover"),
        ("T_LAUNDERING_FAN_IN", "laundering, fan in"),
        ("MULE_ACTIVITY", "laundering"),
        ("T_REFUND_ABUSE", "refund abuse"),
    ],
)
def test_codes_of_fraud_are_said_in_words(code: str, said: str) -> None:
    assert kind(code) == said


def test_the_scale_of_amounts_begins_where_amounts_are_and_counts_every_one() -> None:
    draws = np.random.Generator(np.random.PCG64(1))
    amounts = np.concatenate([draws.uniform(3, 400, 9_990), np.full(5, 0.01), np.full(5, 90_000.0)])
    truth = np.arange(len(amounts)) % 100 == 0
    cells, (low, high) = pictures.amounts(pl.DataFrame({"amount": amounts, "is_fraud_truth": truth}))
    assert (low, high) == pytest.approx((2.0, float(np.quantile(amounts, 0.999))))
    counted = [(cell.colour, int(cell.title.rpartition(": ")[2].replace(",", ""))) for cell in cells]
    assert sum(count for colour, count in counted if colour == "bar") == len(amounts)
    assert sum(count for colour, count in counted if colour == "fraud") == truth.sum()
