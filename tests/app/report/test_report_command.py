"""`assay report` over a run on disk: pages of decisions beside the report, and the same facts as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sample_decisions
from proven_runs import ROWS

from assay.app.cli.report import main
from assay.app.report.evidence import read_decisions
from assay.app.report.money import CASES_SHOWN
from assay.app.report.summary import summarize
from assay.app.run.directory import Run, RunConfig

LARGE = 22_000


@pytest.fixture
def explained(proven: Run) -> Iterator[Run]:
    """The proven run with documents that explain its decisions."""
    policy = {
        "policy_id": "p",
        "revision": "1",
        "rules": [{"code": "LARGE", "points": 40, "when": [{"feature": "amount_minor", "gt": LARGE}]}],
        "thresholds": {"DECLINE": LARGE},
    }
    config = RunConfig.model_validate({**proven.config.model_dump(), "features": sample_decisions.FEATURES, "policy": policy})
    proven.model_copy(update={"config": config}).save()
    yield Run.load(proven.directory)
    proven.save()


def payments(run: Run) -> list[dict[str, Any]]:
    """The rows of the file that was imported."""
    return list(pl.read_parquet(run.directory / "payments.parquet").iter_rows(named=True))


def test_money_is_that_of_the_file(proven: Run) -> None:
    rows = payments(proven)
    (money,) = summarize(proven).findings.money
    cents = [(round(row["TX_AMOUNT"] * 100), bool(row["TX_FRAUD"])) for row in rows]
    assert (money.currency, money.exponent, money.payments) == ("EUR", 2, ROWS)
    assert money.fraud_minor("DECLINE") == sum(amount for amount, fraud in cents if fraud and amount > LARGE) > 0
    assert money.fraud_minor("ALLOW") == sum(amount for amount, fraud in cents if fraud and amount <= LARGE) > 0
    assert money.good_minor("DECLINE") == sum(amount for amount, fraud in cents if not fraud and amount > LARGE)


def test_the_costliest_payments_have_pages_that_say_what_decision_show_says(explained: Run, tmp_path: Path) -> None:
    report = tmp_path / "r.html"
    stale, foreign = tmp_path / "r_decisions" / f"{'0' * 32}.html", tmp_path / "r_decisions" / "mine.html"
    stale.parent.mkdir()
    stale.write_text("old")
    foreign.write_text("mine")
    assert main(["--run", str(explained.directory), "--output", str(report)]) == 0
    links = re.findall(r'<a href="(r_decisions/[0-9a-f]{32}\.html)"><bdi>(\d+)</bdi>', report.read_text())
    misses = summarize(explained).findings.costliest[0].misses
    assert len(links) == len({address for address, _ in links}) <= 2 * CASES_SHOWN
    assert {case.kind for case in misses} == {"card_payment"}
    assert [name for _, name in links][: len(misses)] == [case.source_id for case in misses] != []
    for (address, name), case in zip(links, misses, strict=False):
        html = (tmp_path / address).read_text()
        assert f"<h1><bdi>{name}</bdi></h1>" in html
        assert case.event_id in html
        assert f"\ncard_payment {case.event_id} · {name} in the file\n" in html, "its kind, and not the type of its event"
        assert 'href="../r.html"' in html
    assert not stale.exists()
    assert foreign.exists()


def test_json_holds_the_figures_of_the_page_and_writes_no_page(proven: Run, capsys: pytest.CaptureFixture[str]) -> None:
    page = proven.directory / "report.html"
    page.unlink(missing_ok=True)
    assert main(["--run", str(proven.directory), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert not page.exists()
    summary, decisions = summarize(proven), read_decisions(proven.store)
    assert decisions is not None
    assert (facts["decisions"], facts["complete"], facts["claim"]) == (ROWS, True, "smoke")
    assert [one["proven"] for one in facts["verdicts"]] == [True] * 5
    money = facts["findings"]["money"][0]
    assert {row["outcome"]: row["payments"] for row in money["outcomes"]} == dict.fromkeys(("STEP_UP", "QUEUE_REVIEW"), 0) | {
        name: decisions.filter(outcome=name).height for name in ("ALLOW", "DECLINE")
    }
    assert facts["findings"]["caught"]["low"] == summary.findings.caught.low  # type: ignore[union-attr]
    assert facts["quality"][-1]["quality"]["rows"] == ROWS
    assert facts["run"]["quarantined"] == {"PAYLOAD_HASH_MISMATCH": 3}
