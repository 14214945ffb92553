"""The report of a run on a terminal: every figure whole at any width."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assay.app.oracle.set_aside import set_aside_text
from assay.app.report.amounts import major, two_digits, unit
from assay.app.report.evidence import RunEvidence
from assay.app.report.fitted_table import Bars, fitted
from assay.app.report.money import Money
from assay.app.report.summary import OutcomeRow, RunSummary
from assay.app.report.told_answers import answers_text
from assay.contracts.outcomes import OUTCOMES, Outcome

NOT_PROVEN = "not proven"
_STYLE = {"ALLOW": "green", "STEP_UP": "yellow", "QUEUE_REVIEW": "dark_orange", "DECLINE": "red"}
NO_LABELS = "no labels yet: post them to /v1/labels, then run `assay replay --verify` and `assay report`"
REASONS_SHOWN = 12


def show(summary: RunSummary, console: Console) -> None:
    """Print verdicts, counts, money, quality, stages and parts."""
    width = console.width
    console.print()
    _say(console, Text.assemble((summary.run_id, "bold"), f"  world {summary.world}"))
    _say(console, Text(f"claim level {summary.claim_text or NOT_PROVEN}", "cyan"))
    _verdicts(summary, console)
    if summary.outcomes:
        _apart(console, _counts("outcome", summary.outcomes, summary.decisions or 0, width))
    if summary.reasons:
        rest = len(summary.reasons) - REASONS_SHOWN
        _apart(console, _counts("reason", summary.reasons[:REASONS_SHOWN], summary.decisions or 0, width))
        console.print(f"and {rest} more in the page", style="dim", highlight=False) if rest > 0 else None
    if summary.findings.money and summary.frauds is not None:
        _apart(console, _money(summary.findings.money, width))
    if summary.quality:
        _apart(console, _quality(summary, width))
        _most(summary, console)
    elif summary.decisions:
        console.print()
        _say(console, Text(NO_LABELS, "yellow"))
    if summary.run:
        _apart(console, _stages(summary.run, width))
        _latency(summary.run, summary.latency_what, console)
        _parts(summary.run, console)
    console.print()
    _say(console, _quarantine(summary))


def _say(console: Console, text: Text) -> None:
    """A line that no width cuts."""
    console.print(text, soft_wrap=True)


def _apart(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def _verdicts(summary: RunSummary, console: Console) -> None:
    """A line each; two each where one is too short."""
    named = max(len(what) for what, _, _ in summary.verdicts)
    counted = max(len(figures) for _, _, figures in summary.verdicts)
    for what, proven, figures in summary.verdicts:
        mark = _mark(proven=proven)
        one_line = len(mark[0]) + 1 + named + 2 + counted <= console.width
        between = f"{'':{named - len(what) + 2}}" if one_line else f"\n{'':{len(mark[0])}} "
        _say(console, Text.assemble(mark, f" {what}{between}", (figures, "dim")))


def _mark(*, proven: bool | None) -> tuple[str, str]:
    return {True: ("✓ proven    ", "bold green"), False: ("✗ refuted   ", "bold red"), None: ("? not proven", "bold yellow")}[proven]


def _counts(title: str, given: Iterable[OutcomeRow], total: int, width: int) -> Table:
    rows = list(given)
    known = any(row.frauds is not None for row in rows)
    longest = max((row.count for row in rows), default=0) or 1
    lines = []
    for row in rows:
        share = f"{row.count / total:.2%}" if total else "-"
        truth = (f"{row.frauds:,}", "-" if row.precision is None else f"{row.precision:.1%}") if row.frauds is not None else ()
        lines.append((row.name, f"{row.count:,}", share, *truth))
    bars = Bars([row.count / longest for row in rows], [_STYLE.get(row.name, "blue") for row in rows])
    heads = (title, "payments", "share", *(("fraud", "fraud rate") if known else ()))
    return fitted(heads, lines, width, may_go=(2, 4) if known else (2,), bars=bars)


def _money(money: Iterable[Money], width: int) -> Table:
    lines = []
    for one in money:
        sums = (one.fraud_minor(*OUTCOMES[1:]), one.fraud_minor(Outcome.ALLOW), one.good_minor(Outcome.DECLINE))
        lines.append((unit(one.currency, one.exponent), *(major(minor, one.exponent) for minor in sums)))
    return fitted(("money", "fraud stopped", "fraud missed", "good declined"), lines, width)


def _quality(summary: RunSummary, width: int) -> Table:
    lines = []
    for row in summary.quality:
        q = row.quality
        figures = (NOT_PROVEN if value is None else f"{value:.3f}" for value in (q.auc, q.average_precision, q.card_precision))
        lines.append((row.name, f"{q.rows:,}", f"{q.frauds:,}", *figures))
    return fitted(("quality against delayed truth", "payments", "frauds", "AUC", "AP", "CP@100"), lines, width, may_go=(2, 1))


def _most(summary: RunSummary, console: Console) -> None:
    """What card precision cannot exceed, where days have fewer ids than it looks at."""
    most = min(row.quality.card_precision_most for row in summary.quality)
    if most < 1:
        entity = summary.quality[0].entity
        _say(
            console,
            Text(f"CP@100 can be {most:.3f} at most: days have fewer than 100 {f'ids of {entity}' if entity else 'payments'}", "dim"),
        )


def _stages(run: RunEvidence, width: int) -> Table:
    lines = []
    for stage in run.stages:
        rate = f"{stage.rows / stage.wall_s:,.0f}" if stage.rows and stage.wall_s else ""
        lines.append((stage.name, f"{stage.wall_s:.1f}", "" if stage.rows is None else f"{stage.rows:,}", rate))
    return fitted(("stage", "seconds", "rows", "per second"), lines, width)


def _latency(run: RunEvidence, what: str, console: Console) -> None:
    if run.latency_ms is None:
        console.print(f"latency: {NOT_PROVEN}", style="yellow")
        return
    _say(console, Text(f"latency, {what}:", "dim"))
    console.print(
        "  " + " · ".join(f"{name} at most {two_digits(value)} ms" for name, value in run.latency_ms.items()), style="dim", highlight=False
    )


def _parts(run: RunEvidence, console: Console) -> None:
    """A line each: a version has no shorter form."""
    console.print()
    _say(console, Text(f"{'part':<9}{'claim':<9}what ran", style="dim"))
    for part in run.parts:
        _say(console, Text(f"{part.role:<9}{part.claim:<9}{part.name} {part.version}".rstrip()))


def _quarantine(summary: RunSummary) -> Text:
    if summary.run is None:
        return Text(f"quarantine: {NOT_PROVEN}", style="yellow")
    counts = " · ".join(f"{reason} {count:,}" for reason, count in sorted(summary.run.quarantined.items()))
    calls = " · ".join(f"{reason} {count:,}" for reason, count in sorted((summary.run.refused_calls or {}).items()))
    refused = f"\nrefused calls: {calls}" if calls else ""
    answers = summary.run.answers
    told = f"\n{answers_text(answers)}" if answers is not None and answers.told else ""
    aside = f"\n{set_aside_text(summary.aside)}, before the run began" if summary.aside else ""
    return Text(f"quarantine of gate and worker: {counts or 'nothing'}{refused}{told}{aside}", style="dim")
