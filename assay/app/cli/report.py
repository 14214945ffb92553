"""`assay report`: what a run did and what is proven about it, on the terminal, as an HTML page, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli.paths import refuse_unwritable
from assay.app.cli.plain_app import plain_app
from assay.app.report.decision_pages import write_pages
from assay.app.report.facts import facts_of
from assay.app.report.page import page
from assay.app.report.summary import summarize
from assay.app.report.terminal import show
from assay.app.run.directory import Run
from assay.app.screen import Screen, say_json

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
    path = (None if as_json else run / "report.html") if output is None else output
    if path is not None:
        refuse_unwritable(path)
    summary = summarize(wired)
    if as_json:
        say_json(facts_of(summary))
    else:
        show(summary, Screen())
    if path is not None:
        path.write_text(page(summary, write_pages(wired, summary, path)), "utf-8")
    if path is not None and not as_json:
        Screen().print(f"page: {path}", highlight=False, soft_wrap=True)
    return 1 if any(proven is False for _, proven, _ in summary.verdicts) else 0
