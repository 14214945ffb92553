"""The HTML page of a run: whole documents, every text escaped, every figure in its place."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from assay.app.report.evidence import AuditEvidence, Entry, PartClaim, ProcessUsage, ReplayEvidence, RunEvidence, Stage
from assay.app.report.findings import NOTHING, Findings
from assay.app.report.money import Case, Costliest, Money, OutcomeMoney
from assay.app.report.page import RULES_SHOWN, page, render
from assay.app.report.payments import Labels
from assay.app.report.quality import Quality
from assay.app.report.recheck import Held
from assay.app.report.rules_worth import Pair, RuleMoney, RuleRow
from assay.app.report.share import share
from assay.app.report.spread import Alerts, EntityAlerts, Scores
from assay.app.report.summary import OutcomeRow, QualityRow, RunSummary, Series
from assay.app.report.verdicts import came_in
from assay.app.screen import counted

HOSTILE = "<i>&\"'_x-y"
EMPTY = {"br", "meta", "wbr", "path", "line"}
PAGE = "x_decisions/04.html"


def findings_with(text: str) -> Findings:
    """Findings in which every text that may come from outside is `text`."""
    case = Case(f"{text}e", text, "04", 1_767_261_600_000_000, "ALLOW", 5, (text,), 123_456, {text: text}, kind=text)
    money = RuleMoney("EUR", 2, 5_000, 1_000, 250)
    rules = tuple(
        RuleRow(f"{text}{number}", None if number else 40, 10, 8, 3, 2, 6, 1, share(6, 8), (money,) if number < 3 else ())
        for number in range(RULES_SHOWN + 2)
    )
    outcomes = (OutcomeMoney("ALLOW", 750, 100_000, 2, 2_050), OutcomeMoney("DECLINE", 250, 50_001, 6, 40_000))
    return Findings(
        labels=Labels("file", 1_000, 8),
        caught=share(6, 8),
        right=share(6, 250),
        money=(Money("EUR", 2, 1_000, outcomes), Money("JPY", 0, 2, ())),
        costliest=(Costliest("EUR", 2, (case,), 2, (case,), 244),),
        rules=rules,
        pairs=(Pair(text, text, 7),),
        scores=Scores(-10, 10, (1, 0, 900, 50), (0, 0, 2, 6), {"STEP_UP": 15}),
        alerts=Alerts(1_767_261_600_000_000, 86_400_000_000, {"STEP_UP": (1, 0), "QUEUE_REVIEW": (1, 0), "DECLINE": (2, 0)}, (0, 4)),
        entities=(EntityAlerts(text, text, 20, 10, 6, share(6, 10)),),
    )


def summary_of(text: str) -> RunSummary:
    """A summary in which every text that may come from outside is `text`."""
    run = RunEvidence(
        started_utc="2026-01-01T10:00:00.000000Z",
        finished_utc="2026-01-01T10:01:00.000000Z",
        machine=text,
        stages=(Stage(name=text, wall_s=2.0, rows=5_000), Stage(name=text, wall_s=0.0)),
        parts=(PartClaim(role="bus", claim="parity", name=text, version=text),),
        processes=(ProcessUsage(name=text, pid=7, log=text, data=text),),
        quarantined={"B_B": 1, "A_A": 1, text: 3},
        refused_calls={text: 4},
        latency_ms={text: 2.5},
        duplicates=4,
    )
    return RunSummary(
        run_id=text,
        world=text,
        sealed_rows=1_000,
        eligible=1_000,
        decisions=1_000,
        audits=1_000,
        frauds=8,
        missed_frauds=2,
        outcomes=(OutcomeRow("ALLOW", 750, 2), OutcomeRow("DECLINE", 250, 6)),
        reasons=(),
        throughput=Series(1_767_261_600_000_000, 0.5, (0, 50, 100)),
        quality=(QualityRow(text, text, Quality(900, 7, 0.875, 0.5, None)),),
        run=run,
        replay=ReplayEvidence(verified=False, compared=9, differing=1, differences=(text,), decision_digest=text, wall_s=1),
        audit=AuditEvidence(verified=False, records=9, segments=1, head=text, problems=(text,), wall_s=1),
        held=Held(1_000, "", ""),
        identity={text: text},
        findings=findings_with(text),
    )


class Reading(HTMLParser):
    """Tags that do not close what was opened, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.texts: list[str] = []
        self.names: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All text with single spaces."""
        return " ".join(" ".join(self.texts).split())


def test_every_text_is_escaped() -> None:
    """A name from a server, a file or a policy cannot put markup into the page."""
    html = page(summary_of(HOSTILE))
    read, plain = Reading(html), Reading(page(summary_of("plain")))
    assert read.names == plain.names | {"wbr"}
    assert "<i>&" not in html.replace("<i>✗", "").replace("<i>✓", "")
    shown = html.replace("_<wbr>", "_").replace("&#8209;", "-").count("&lt;i&gt;&amp;&#34;&#39;_x-y")
    assert shown == page(summary_of("plain")).count("plain")


@pytest.mark.parametrize("missing", ["run", "replay", "audit", "throughput", "decisions", "frauds", "sealed_rows"])
def test_a_page_is_well_formed_with_and_without_evidence(missing: str) -> None:
    whole = summary_of("plain")
    without: dict[str, Any] = {missing: None}
    for summary in (whole, replace(whole, **without), replace(whole, outcomes=(), quality=(), findings=NOTHING)):
        read = Reading(page(summary, {"04": PAGE}))
        assert (read.wrong, read.open) == ([], [])


def test_figures_stand_in_their_places() -> None:
    text = Reading(page(summary_of("plain"))).text
    for shown in (
        "2026-01-01 10:00:00 to 10:01:00 UTC",
        "1,000 sealed payments",
        "4 duplicates dropped",
        "≤ 2.5 ms latency plain",
        "ALLOW 750 75.00% 2 0.3% 0–1",
        "DECLINE 250 25.00% 6 2.4% 1–5",
        "6 of 8 frauds met more than ALLOW, 75.0%.",
        "plain 900 7* 0.875 0.500 not proven",
        "2 more",
        "Throughput decisions over wall time, 100 per second",
        "10:00:00 1.5 s",
        "plain 2.0 5,000 2,500 plain 0.0 Latency",
        "Quarantine 5 records that gate or worker did not take",
        "5 records in quarantine of gate and worker",
        "4 refused calls",
        "400.00 fraud stopped: declined 400.00, the rest",
        "20.50 fraud missed",
        "100.01 good payments declined",
        "0.00 good payments asked for more or reviewed",
        "6 of 8 frauds were not allowed: 75.0%* 41–93 .",
        "plain 2026-01-01 10:00:00 · plain · plain plain plain 1,234.56 ALLOW 5",
        "The 1 costliest of 2 frauds that were allowed.",
        "The 1 costliest of 244 good payments that were not allowed.",
        "plain0 +40 8 6 75.0%* 41–93 50.00 10.00 2.50 3 2",
        "plain3 8 6 75.0%* 41–93 - - - 3 2",
        "plain + plain 7",
        "-10 29",
        "STEP_UP from 15",
        "2026-01-01 2026-01-02",
        "Alerts over event time, 4 in all",
        "plain payments alerts fraud precision plain 20 10 6 60.0%* 31–83",
    ):
        assert shown in text


def test_rows_set_aside_at_import_are_told_apart_from_records_in_quarantine() -> None:
    text = Reading(page(replace(summary_of("plain"), aside={"INPUT_VALUE_INVALID": 5, "INPUT_ID_DUPLICATE": 2}))).text
    assert "7 rows set aside at import 1,000 sealed payments" in text
    assert "Set aside at import 7 rows of the file, before the run began; in no other number of this page" in text
    assert text.index("INPUT_ VALUE_ INVALID 5 71.43%") < text.index("INPUT_ ID_ DUPLICATE 2 28.57%")
    assert "at import" not in Reading(page(summary_of("plain"))).text.replace("set aside at import a row of the file", "")


def test_no_column_of_a_table_is_hidden_on_a_small_screen() -> None:
    html = page(summary_of("plain"))
    hidden = [rule for rule in html[: html.index("</style>")].split("}") if re.search(r"display: *none", rule)]
    assert [rule.partition("{")[0].strip() for rule in hidden] == ["td.name wbr"]
    assert html.count("<table") == html.count('<div class="scroll"><table')


def test_the_page_says_the_most_that_card_precision_can_be() -> None:
    summary = summary_of("plain")
    few = replace(summary, quality=(QualityRow("all", "card", Quality(900, 7, 0.875, 0.5, 0.02, 0.05)),))
    assert "CP@100 can be 0.050 at most: days have fewer than 100 card ids." in Reading(page(few)).text
    assert "at most" not in Reading(page(summary)).text


def test_the_curve_is_as_high_as_its_counts() -> None:
    assert "M0 99 L0.0 98.0 L200.0 98.0 L200.0 51.0 L400.0 51.0 L400.0 4.0 L600.0 4.0 L600 99 Z" in page(summary_of("plain"))


def test_bars_are_as_long_as_their_counts_and_an_outcome_has_its_colour() -> None:
    html = page(summary_of("plain"))
    assert 'style="background:var(--ALLOW);width:100.00%"' in html
    assert 'style="background:var(--DECLINE);width:33.33%"' in html


def test_the_most_frequent_dead_letter_stands_first() -> None:
    text = Reading(page(summary_of("plain"))).text
    assert text.index("plain 3 60.00%") < text.index("A_ A 1 20.00%") < text.index("B_ B 1 20.00%")


def test_one_instant_has_no_curve() -> None:
    html = page(replace(summary_of("plain"), throughput=Series(0, 0.5, (5,))))
    assert "5 decisions in one instant" in html
    assert "<path" not in html


def test_a_listed_payment_leads_to_its_page_where_there_is_one() -> None:
    summary = summary_of("plain")
    assert page(summary, {"04": PAGE}).count(f'<a href="{PAGE}"><bdi>plain</bdi></a>') == 2
    assert "<a " not in page(summary)


def test_ids_of_a_decisions_page_turn_no_other_text() -> None:
    case = Case("e1", "\u202ep", "04", 0, "ALLOW", 5, (), 1, {"card": "\u202eevil"})
    html = render("decision.html.jinja", case=case, shown="", report="r.html")
    assert html.count("\u202e") == html.count("<bdi>\u202e") == 2
    assert r"<title>\u202ep</title>" in html


def test_one_is_counted_as_one() -> None:
    summary = summary_of("plain")
    assert summary.run is not None
    run = summary.run.model_copy(update={"quarantined": {"A_A": 1}})
    found = replace(summary.findings, money=(Money("EUR", 2, 1, ()),))
    text = Reading(page(replace(summary, run=run, findings=found, decisions=1))).text
    assert [
        said for said in ("EUR, 1 payment", "1 record that gate or worker did not take", "of 1 decision") if f"{said} " not in text
    ] == []
    assert came_in(Entry(admitted=1, receipts=1, without_receipt=0), Held(1, "", "", 1))[2].startswith("1 payment · 1 receipt · ")
    assert counted(1_000, "payment") == "1,000 payments"


def test_a_run_without_labels_says_how_to_post_them_and_shows_no_share_of_fraud() -> None:
    whole = summary_of("plain")
    rules = tuple(replace(row, frauds=None, frauds_needed=None, precision=None, money=()) for row in whole.findings.rules)
    entities = tuple(replace(row, frauds=None, precision=None) for row in whole.findings.entities)
    unknown = replace(NOTHING, rules=rules, entities=entities)
    text = Reading(page(replace(whole, frauds=None, missed_frauds=None, quality=(), findings=unknown))).text
    assert "No labels yet What was fraud is not known" in text
    assert "POST /v1/labels" in text
    assert "precision" not in text
    assert "not proven" not in text[text.index("Quality against") : text.index("Throughput")]


def test_words_are_explained_on_the_page() -> None:
    text = Reading(page(summary_of("plain"))).text
    for word in (
        "eligible",
        "refused",
        "in quarantine",
        "set aside at import",
        "receipt",
        "audit",
        "journal",
        "claim level",
        "proven, refuted, not proven",
    ):
        assert f" {word} " in text[text.index("What these words mean") :]


def test_the_test_week_is_explained_only_where_there_is_one() -> None:
    whole = summary_of("plain")
    week = replace(whole, quality=(replace(whole.quality[0], test_week=True),))
    assert "7 days of training" not in page(whole)
    assert "7 days of training" in page(week)


@pytest.mark.parametrize(
    ("beyond", "strangers", "proven", "told"),
    [
        (0, 0, True, " · 1,200 ids of events before 2026-01-02T00:00:00.000000Z forgotten by the index"),
        (2, 0, None, "; 2 of those without a receipt are so old, and nobody knows who admitted them"),
        (2, 1, False, "1 unknown to the gate"),
    ],
)
def test_what_the_index_has_forgotten_is_told_and_neither_proven_nor_refuted(
    beyond: int, strangers: int, proven: bool | None, told: str
) -> None:
    entry = Entry(
        admitted=9, receipts=9, without_receipt=beyond + strangers, strangers=strangers, beyond=beyond,
        forgotten=1_200, forgotten_before_utc="2026-01-02T00:00:00.000000Z",
    )  # fmt: skip
    _, verdict, figures = came_in(entry, Held(9, "", "", 9))
    assert (verdict, told in figures) == (proven, True)
