"""The report of a run as one HTML file that needs nothing else: no script, no font, no address to load from.

The layout is the template `page.html.jinja`, which escapes every value. What is computed for it is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from assay.app.report import charts
from assay.app.report.amounts import major, two_digits, unit
from assay.app.report.summary import OutcomeRow, RunSummary
from assay.app.screen import counted
from assay.contracts import instants
from assay.contracts.outcomes import OUTCOMES
from assay.contracts.visible import one_line

RULES_SHOWN = 12
FOUND_SHOWN = 100
NOT_PROVEN = Markup('<span class="missing">not proven</span>')
_HERE = Path(__file__).parent


def page(summary: RunSummary, pages: Mapping[str, str] | None = None) -> str:
    """The whole document. `pages`: decision id → address of the page of that decision, as seen from this one."""
    run, series = summary.run, summary.throughput
    quarantined = sorted(run.quarantined.items(), key=lambda item: (-item[1], item[0])) if run else []
    calls = sorted((run.refused_calls or {}).items(), key=lambda item: (-item[1], item[0])) if run else []
    return render(
        "page.html.jinja",
        summary=summary,
        found=_found(summary)[:FOUND_SHOWN],
        tiles=_tiles(summary),
        latency_ms=(run.latency_ms or {}) if run else {},
        area=charts.area(series) if series else "",
        began=instants.text(series.start_us)[11:19] if series else "",
        quarantined=[OutcomeRow(reason, count, None) for reason, count in quarantined],
        refused_calls=[OutcomeRow(reason, count, None) for reason, count in calls],
        aside=[OutcomeRow(reason, count, None) for reason, count in sorted(summary.aside.items(), key=lambda item: (-item[1], item[0]))],
        identity={**summary.identity, **_proofs(summary)},
        pages=pages or {},
        rules_shown=RULES_SHOWN,
    )


def render(template: str, **values: Any) -> str:
    """A document of this package."""
    return _environment().get_template(template).render(style=_style(), **values)


def _found(summary: RunSummary) -> list[str]:
    entry = summary.run.entry if summary.run else None
    replay, audit = summary.replay, summary.audit
    return [*(entry.named if entry else ()), *(replay.differences if replay else ()), *(audit.problems if audit else ())]


def _proofs(summary: RunSummary) -> dict[str, str]:
    replay, audit = summary.replay, summary.audit
    return ({"decision_digest": replay.decision_digest} if replay else {}) | ({"audit_head": audit.head} if audit else {})


def _tiles(summary: RunSummary) -> list[tuple[str, int | None]]:
    """Counts with their names; a count that is not proven is None."""
    run = summary.run
    live = run is not None and run.admitted_triggers is not None
    tiles = [
        ("admitted payments", run.admitted_triggers) if run is not None and live else ("sealed payments", summary.sealed_rows),
        ("refused payments", run.refused_triggers if run else None),
        ("eligible", summary.eligible),
        ("decisions", summary.decisions),
        ("audits", summary.audits),
        ("records in quarantine of gate and worker", sum(run.quarantined.values()) if run else None),
    ]
    tiles[:0] = [("rows set aside at import", sum(summary.aside.values()))] if summary.aside else []
    told = None if run is None or run.answers is None or not run.answers.told else run.answers
    tiles += [] if told is None else [("answered who waited", told.told), ("at the deadline", told.fallbacks)]
    tiles += [] if told is None else [("answered other than decided", told.differing)]
    tiles += [] if run is None or run.refused_calls is None else [("refused calls", sum(run.refused_calls.values()))]
    return tiles if run is None or run.duplicates is None else [*tiles, ("duplicates dropped", run.duplicates)]


def _figure(value: float | None, form: str = ",") -> str:
    """A number in a format of Python; None is not proven."""
    return NOT_PROVEN if value is None else format(value, form)


def _counted(count: int | None, noun: str) -> str:
    return f"{NOT_PROVEN} {noun}s" if count is None else counted(count, noun)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FileSystemLoader(_HERE)
    )
    environment.filters.update(
        figure=_figure,
        counted=_counted,
        one_line=one_line,
        major=major,
        two_digits=two_digits,
        when=lambda us: instants.text(us)[:19].replace("T", " "),
    )
    environment.globals.update(charts=charts, outcomes=OUTCOMES, none=None, unit=unit)
    return environment


@cache
def _style() -> str:
    return (_HERE / "style.css").read_text("utf-8")
