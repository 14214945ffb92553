"""Progress says how much, how fast and how long: as a live line on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from assay.app.progress import ProgressLine, progress_line, progress_text


@pytest.mark.parametrize(
    ("done", "elapsed_s", "done_at_start", "text"),
    [
        (0, 0.0, 0, "0 of 100,000 · 0/s · unknown time left"),
        (20_000, 2.0, 0, "20,000 of 100,000 · 10,000/s · 8 s left"),
        (60_000, 2.0, 40_000, "60,000 of 100,000 · 10,000/s · 4 s left"),
        (100_000, 5.0, 0, "100,000 of 100,000 · 20,000/s · 5.0 s"),
    ],
)
def test_the_rate_counts_only_what_this_process_did(done: int, elapsed_s: float, done_at_start: int, text: str) -> None:
    assert progress_text(done, 100_000, elapsed_s, done_at_start) == text


def test_a_total_nobody_knows_is_not_made_up() -> None:
    assert progress_text(12_000, 0, 2.0) == "12,000 · 6,000/s · 2.0 s"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_bar_gives_way_to_the_note_and_the_note_to_the_figures(width: int) -> None:
    text, note = "1,153,100 of 1,169,723 · 40 s", "folded 1,169,800"
    line = progress_line("audited", text, note, 0.5, width)
    assert len(line) <= width
    assert text in line
    assert (note in line) == (width >= 60)
    assert ("━" in line) == (width >= 80)


def _shown(*, terminal: bool) -> str:
    clock: Iterator[float] = iter(float(second) for second in range(100))
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with ProgressLine("streamed", 10, console, lambda: next(clock)) as line:
        for done in range(11):
            line.show(done, "note")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_a_line_comes_every_few_seconds() -> None:
    lines = _shown(terminal=False).splitlines()
    assert lines == [
        "  streamed: 4 of 10 · 1/s · 8 s left · note",
        "  streamed: 9 of 10 · 1/s · 1 s left · note",
    ]


def test_on_a_terminal_one_line_lives_and_is_gone_at_the_end() -> None:
    shown = _shown(terminal=True)
    assert "10 of 10" in shown
    assert shown.rindex("\x1b[2K") > shown.rindex("10 of 10")


def test_a_failure_is_not_reported_as_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)

    line = ProgressLine("streamed", 10, console, lambda: 0.0)
    with pytest.raises(ValueError, match="broken"), line:
        raise ValueError("broken")
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == ""
