"""`assay report`: what a run did and what is proven about it, on the terminal and as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli.paths import refuse_unwritable
from assay.app.cli.plain_app import plain_app
from assay.app.report.page import page
from assay.app.report.summary import summarize
from assay.app.report.terminal import show
from assay.app.run.directory import Run
from assay.app.screen import Screen

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay report`. Exit code 1 when a verdict is refuted."""
    return int(app(arguments, standalone_mode=False, prog_name="assay report") or 0)


@app.command()
def report(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    output: Annotated[Path | None, typer.Option(help="where to write the page; report.html in the run by default")] = None,
) -> int:
    """Print the summary of a run and write its page."""
    wired, path = Run.load(run), output or run / "report.html"
    refuse_unwritable(path)
    summary = summarize(wired)
    show(summary, Screen())
    path.write_text(page(summary), "utf-8")
    Screen().print(f"page: {path}", highlight=False, soft_wrap=True)
    return 1 if any(proven is False for _, proven, _ in summary.verdicts) else 0
