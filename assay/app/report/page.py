"""The report of a run as one HTML file that needs nothing else: no script, no font, no address to load from.

The layout is the template `page.html.jinja`, which escapes every value. What is computed for it is here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from assay.app.report.summary import OutcomeRow, RunSummary, Series
from assay.contracts import instants
from assay.contracts.outcomes import OUTCOMES

REASONS_SHOWN = 12
FOUND_SHOWN = 100
NOT_PROVEN = Markup('<span class="missing">not proven</span>')


def page(summary: RunSummary) -> str:
    """The whole document."""
    run, replay, audit, series = summary.run, summary.replay, summary.audit, summary.throughput
    quarantined = sorted(run.quarantined.items(), key=lambda item: (-item[1], item[0])) if run else []
    entry = run.entry if run else None
    found = [*(entry.named if entry else ()), *(replay.differences if replay else ()), *(audit.problems if audit else ())]
    proofs = ({"decision_digest": replay.decision_digest} if replay else {}) | ({"audit_head": audit.head} if audit else {})
    return _template().render(
        summary=summary,
        run=run,
        style=_file("style.css"),
        outcomes=OUTCOMES,
        reasons_shown=REASONS_SHOWN,
        found=found[:FOUND_SHOWN],
        tiles=_tiles(summary),
        latency_ms=(run.latency_ms or {}) if run else {},
        area=_area(series) if series else "",
        began=instants.text(series.start_us)[11:19] if series else "",
        quarantined=[OutcomeRow(reason, count, None) for reason, count in quarantined],
        identity={**summary.identity, **proofs},
    )


def _tiles(summary: RunSummary) -> list[tuple[str, int | None]]:
    """Counts with their names; a count that is not proven is None."""
    run = summary.run
    live = run is not None and run.admitted_triggers is not None
    tiles = [
        ("admitted payments", run.admitted_triggers) if run is not None and live else ("sealed payments", summary.sealed_rows),
        ("refused", run.refused_triggers if run else None),
        ("eligible", summary.eligible),
        ("decisions", summary.decisions),
        ("audits", summary.audits),
    ]
    return tiles if run is None or run.duplicates is None else [*tiles, ("duplicates dropped", run.duplicates)]


def _area(series: Series) -> str:
    """An SVG path of counts per bin, in a box of 600 by 100."""
    top = max(series.counts) or 1
    step = 600 / len(series.counts)
    heights = [98 - 94 * count / top for count in series.counts]
    points = " ".join(f"L{at * step:.1f} {y:.1f} L{(at + 1) * step:.1f} {y:.1f}" for at, y in enumerate(heights))
    return f"M0 99 {points} L600 99 Z"


def _figure(value: float | None, form: str = ",") -> str:
    """A number in a format of Python; None is not proven."""
    return NOT_PROVEN if value is None else format(value, form)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = _figure
    return environment.from_string(_file("page.html.jinja"))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")
