"""Pages of single decisions beside a report: what `assay decision show` says of the payments that the report lists."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from assay.app.report.decision_search import in_segment
from assay.app.report.decision_view import explain, show
from assay.app.report.money import Case
from assay.app.report.page import render
from assay.app.report.paid import told_by
from assay.app.report.summary import RunSummary
from assay.app.run.directory import Run
from assay.app.run.policy_revisions import rules_of
from assay.app.screen import Screen
from assay.contracts.errors import AssayError

#: characters of a line, as on a wide terminal
WIDTH = 110
_OURS = re.compile(r"[0-9a-f]{32}\.html")


def cases_of(summary: RunSummary) -> dict[str, Case]:
    """The listed payments whose decisions are in the audit, by decision id: at most `CASES_SHOWN` of each kind and currency."""
    cases = [case for one in summary.findings.costliest for case in (*one.misses, *one.alarms)]
    return {case.decision_id: case for case in cases if case.segment}


def write_pages(run: Run, summary: RunSummary, report: Path) -> dict[str, str]:
    """Write a page for each listed payment into the folder beside `report`; decision id → address as seen from the report.

    Pages of an earlier report there are removed.
    """
    folder = report.with_name(f"{report.stem}_decisions")
    written = {}
    for case, html in _pages(run, list(cases_of(summary).values()), report.name):
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{case.decision_id}.html").write_text(html, "utf-8")
        written[case.decision_id] = f"{folder.name}/{case.decision_id}.html"
    for old in folder.glob("*.html") if folder.is_dir() else ():
        if _OURS.fullmatch(old.name) and old.stem not in written:
            old.unlink()
    return written


def _pages(run: Run, cases: list[Case], report: str) -> Iterator[tuple[Case, str]]:
    """A page of each decision that its segment still gives and that the run's documents explain."""
    for key in sorted({case.segment for case in cases}):
        here = {case.decision_id: case for case in cases if case.segment == key}
        try:
            for found in in_segment(run, key, list(here)):
                case = here[found.decision["decision_id"].hex()]
                console = Screen(file=io.StringIO(), width=WIDTH, color_system=None)
                paid = told_by(found.decision)._replace(source_id=case.source_id or "", kind=case.kind)
                rules = rules_of(run.store, run.config, found.decision["policy"]["content_digest"])
                show(found, explain(found.decision, run.config, paid, rules), paid, console)
                assert isinstance(console.file, io.StringIO)
                yield case, render("decision.html.jinja", case=case, shown=console.file.getvalue(), report=report)
        except (AssayError, KeyError):
            continue  # a report of what can be read is worth more than none
