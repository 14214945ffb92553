"""The terminal report keeps every figure whole, and says what its words mean."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from assay.app.report.evidence import AnswerCounts, AuditEvidence, PartClaim, ReplayEvidence, RunEvidence, Stage
from assay.app.report.fitted_table import Bars, fitted
from assay.app.report.quality import Quality
from assay.app.report.recheck import Held
from assay.app.report.summary import OutcomeRow, QualityRow, RunSummary
from assay.app.report.terminal import show

ROWS = 1_169_723
OUTCOMES = (OutcomeRow("ALLOW", 1_153_101, 4_312), OutcomeRow("QUEUE_REVIEW", 9_417, 5_208), OutcomeRow("DECLINE", 7_205, 0))
REASON = OutcomeRow("TERMINAL_FRAUD_MONTH_PAST_HALF", 113_579, 1_688)
PARTS = (
    PartClaim(role="bus", claim="parity", name="Apache Kafka", version="4.3.0, 1 broker"),
    PartClaim(role="objects", claim="smoke", name="directory"),
)


def summary() -> RunSummary:
    run = RunEvidence(
        started_utc="s",
        finished_utc="f",
        machine="m",
        stages=(Stage(name="stream, decide, act and audit", wall_s=1_234.5, rows=ROWS), Stage(name="servers", wall_s=7.7)),
        parts=PARTS,
        quarantined={"LATE_BEYOND_WATERMARK": 12_345},
        latency_ms={"p50": 200.0, "p99": 1_000.0},
    )
    quality = QualityRow("test week from 2018-07-25", "customer", Quality(67_240, 385, 0.8761, 0.6012, 0.2914))
    return RunSummary(
        run_id="platform_20260101T000000Z",
        world="handbook",
        sealed_rows=ROWS,
        eligible=ROWS,
        decisions=ROWS,
        audits=ROWS,
        frauds=9_520,
        missed_frauds=4_312,
        outcomes=OUTCOMES,
        reasons=[REASON],
        throughput=None,
        quality=[quality],
        run=run,
        replay=ReplayEvidence(verified=True, compared=ROWS, differing=0, decision_digest="ab", decision_set="ef", wall_s=1),
        audit=AuditEvidence(verified=True, records=ROWS, segments=1_024, head="cd", wall_s=1),
        held=Held(ROWS, "", ""),
        identity={},
    )


def printed(width: int, *, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show(summary(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


FIGURES = [
    "1,169,723 eligible, all decided, all audited",
    "1,169,723 decisions recomputed, 0 differ",
    "1,169,723 records in 1,024 segments",
    *("1,153,101", "4,312", "9,417", "5,208", "7,205", "113,579", "1,688"),
    *("0.876", "0.601", "0.291"),
    *("1234.5", "948", "4.3.0, 1 broker", "12,345"),
    *("p50 at most 200 ms", "p99 at most 1,000 ms"),
]
DROPPED_WHEN_NARROW = ["98.58%", "0.81%", "0.62%", "9.71%", "0.4%", "55.3%", "0.0%", "67,240", "385"]


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_figure_is_printed_in_full(width: int, terminal: bool) -> None:
    report = printed(width, terminal=terminal)
    assert [figure for figure in FIGURES + DROPPED_WHEN_NARROW if figure not in report] == []
    assert "…" not in report
    assert max(map(len, report.splitlines())) <= width


def test_a_narrow_terminal_loses_shares_and_bars_before_figures() -> None:
    report = printed(48)
    assert [figure for figure in FIGURES if figure not in report] == []
    assert "█" not in report
    assert "TERMINAL_FRAUD_MONTH_PAST_HALF" in "".join(line.split()[0] for line in report.splitlines() if line.strip())


def test_words_of_the_report_are_explained_where_they_stand() -> None:
    report = printed(80)
    assert "claim level smoke (objects: directory; no hardening claimed)" in report
    assert "latency, a batch's journal record to decisions acknowledged" in report


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (40, ["name n share", "A_LONG_NAME 12,345 10.0% ████████████", "B 6 0.1%"]),
        (26, ["name n share", "A_LONG_NAME 12,345 10.0%", "B 6 0.1%"]),
        (25, ["name n", "A_LONG_NAME 12,345", "B 6"]),
    ],
)
def test_columns_go_one_after_another(width: int, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    bars = Bars([1.0, 0.0], ["blue", "blue"])
    console.print(fitted(("name", "n", "share"), [("A_LONG_NAME", "12,345", "10.0%"), ("B", "6", "0.1%")], width, may_go=(2,), bars=bars))
    assert isinstance(console.file, io.StringIO)
    assert [" ".join(line.split()) for line in console.file.getvalue().splitlines()] == lines


def test_the_most_that_card_precision_can_be_is_said_where_days_have_few_ids() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    few = QualityRow("all", "device_os", Quality(900, 7, 0.875, 0.5, 0.02, 0.05))
    show(replace(summary(), quality=(few,)), console)
    assert isinstance(console.file, io.StringIO)
    assert "\nCP@100 can be 0.050 at most: days have fewer than 100 ids of device_os\n" in console.file.getvalue()
    assert "CP@100 can be" not in printed(80)


def test_rows_set_aside_at_import_stand_apart_from_the_quarantine_of_the_run() -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    show(replace(summary(), aside={"INPUT_VALUE_INVALID": 5}), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "quarantine of gate and worker: LATE_BEYOND_WATERMARK 12,345" in text
    assert "\n5 rows set aside at import (INPUT_VALUE_INVALID 5), before the run began\n" in text


def test_answers_to_who_waited_have_a_line_where_there_were_any() -> None:
    given = summary()
    assert "answers:" not in printed(100)
    assert given.run is not None
    answers = AnswerCounts(told=1_200, fallbacks=3, differing=2, undecided=0)
    console = Console(file=io.StringIO(), width=100)
    show(replace(given, run=given.run.model_copy(update={"answers": answers})), console)
    assert isinstance(console.file, io.StringIO)
    assert "answers: 1,200 told · 3 at the deadline · 2 other than the decision" in console.file.getvalue()
