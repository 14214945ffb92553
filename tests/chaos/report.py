"""What `make chaos` leaves: chaos.json with every fault, time and verdict, and chaos.html with a picture of each run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from chaos.picture import timeline
from chaos.playing import Played

from assay.app.bench.lane import machine

STYLE = """
body { font: 14px sans-serif; margin: 2em auto; max-width: 1040px; color: #222 } table { border-collapse: collapse }
td, th { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ddd } .no { color: #b02a26 } pre { white-space: pre-wrap }
"""
LEGEND = "Area: records per second on the decisions' topic. Grey: a worker starts or stands by; green: it owns the lanes; blue: frozen."


def write_report(directory: Path, seed: int, runs: Sequence[Played], wall_s: float) -> None:
    """Write both files; what is there of an interrupted one is replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    document = {"seed": seed, "machine": machine(), "wall_s": round(wall_s, 1), "runs": [run.summary() for run in runs]}
    (directory / "chaos.json").write_text(json.dumps(document, indent=1))
    (directory / "chaos.html").write_text(_page(seed, runs, wall_s), encoding="utf-8")


def counted(runs: Sequence[Played]) -> dict[str, tuple[int, int]]:
    """Per scenario: how often it passed, and how often it ran."""
    names = dict.fromkeys(run.name for run in runs)
    return {name: (sum(not r.problems for r in runs if r.name == name), sum(r.name == name for r in runs)) for name in names}


def _page(seed: int, runs: Sequence[Played], wall_s: float) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="{"" if passed == ran else "no"}">{passed} of {ran}</td></tr>'
        for name, (passed, ran) in counted(runs).items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>assay: chaos</title><style>{STYLE}</style>'
        f"<h1>Chaos on real Kafka</h1><p>Seed {seed}, {len(runs)} runs, {wall_s / 60:.1f} minutes. {escape(LEGEND)}</p>"
        f"<table><tr><th>fault<th>kept every promise</tr>{rows}</table>{''.join(map(_section, runs))}</html>"
    )


def _section(run: Played) -> str:
    verdict = "every promise kept" if not run.problems else f'<span class="no">{len(run.problems)} broken</span>'
    problems = "".join(f"<pre>{escape(problem)}</pre>" for problem in run.problems)
    title = f"{escape(run.name)}, seed {run.seed}: {verdict}; {run.payments:,} payments in {run.wall_s:.0f} s"
    return f"<h2>{title}</h2>{problems}{timeline(run.published_s, run.marks, run.lives)}"
