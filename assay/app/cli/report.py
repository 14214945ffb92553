"""`assay report`: what a run did and what is proven about it, on the terminal, as an HTML page, or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from assay.app.cli.plain_app import plain_app
from assay.app.report.decision_pages import write_pages
from assay.app.report.facts import facts_of
from assay.app.report.page import page
from assay.app.report.summary import summarize
from assay.app.report.terminal import show
from assay.app.run.directory import Run

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay report`. Exit code 1 when a verdict is refuted."""
    return int(app(arguments, standalone_mode=False, prog_name="assay report") or 0)


@app.command()
def report(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    output: Annotated[Path | None, typer.Option(help="where to write the page; report.html in the run by default")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print all figures as JSON; a page only with --output")] = False,
) -> int:
    """Print the summary of a run and write its page, with pages of its costliest mistakes in a folder beside it.

    Example: assay report --run runs/live --json | jq .findings.money
    """
    wired = Run.load(run)
    summary = summarize(wired)
    if as_json:
        print(json.dumps(facts_of(summary), indent=1))
    else:
        show(summary, Console())
    path = (None if as_json else run / "report.html") if output is None else output
    if path is not None:
        path.write_text(page(summary, write_pages(wired, summary, path)), "utf-8")
    if path is not None and not as_json:
        Console().print(f"page: {path}", highlight=False, soft_wrap=True)
    return 1 if any(proven is False for _, proven, _ in summary.verdicts) else 0
