"""Progress says how much, how fast and how long: as a live line on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from assay.app.pace import PER_S, Pace
from assay.app.progress import ProgressLine, progress_line, progress_text, start_line, start_text, ticking


@pytest.mark.parametrize(
    ("done", "elapsed_s", "done_at_start", "text"),
    [
        (0, 0.0, 0, "0 of 100,000"),
        (20_000, 2.0, 0, "20,000 of 100,000 · 10,000/s · 8 s left"),
        (60_000, 2.0, 40_000, "60,000 of 100,000 · 10,000/s · 4 s left"),
        (100_000, 5.0, 0, "100,000 of 100,000 · 20,000/s · 5.0 s"),
    ],
)
def test_the_rate_counts_only_what_this_process_did(done: int, elapsed_s: float, done_at_start: int, text: str) -> None:
    assert progress_text(done, 100_000, elapsed_s, done_at_start) == text


@pytest.mark.parametrize(
    ("done", "elapsed_s", "still_s", "text"),
    [
        (0, 0.0, 0.0, "0 of 10,000 · 10 s left"),
        (0, 1.0, 1.0, "0 of 10,000 · 15 s left"),
        (500, 1.0, 0.0, "500 of 10,000 · 500/s · 11 s left"),
        (5_000, 10.0, 0.0, "5,000 of 10,000 · 500/s · 9 s left"),
        (9_999, 10.0, 0.0, "9,999 of 10,000 · 1,000/s · 1 s left"),
        (9_988, 35.0, 25.0, "9,988 of 10,000 · 285/s · nothing for 25 s"),
    ],
)
def test_the_time_left_is_told_from_the_first_moment_and_no_longer_than_it_holds(
    done: int, elapsed_s: float, still_s: float, text: str
) -> None:
    """By what is expected, 1,000 a second, and more and more by what is seen."""
    assert progress_text(done, 10_000, elapsed_s, expected_per_s=1_000, still_s=still_s) == text


def test_a_total_nobody_knows_is_not_made_up() -> None:
    assert progress_text(12_000, 0, 2.0) == "12,000 · 6,000/s · 2.0 s"


def test_slow_work_is_told_with_a_decimal() -> None:
    assert progress_text(5, 58, 20.0, expected_per_s=1.0) == "5 of 58 · 0.2/s · 167 s left"


@pytest.mark.parametrize(
    ("elapsed_s", "expected_s", "text"),
    [(0, 12, "0 s of about 12 s"), (4, 12, "4 s of about 12 s"), (13, 12, "13 s, longer than usual"), (4, 0, "4 s")],
)
def test_a_start_is_told_by_the_seconds_of_the_last_one(elapsed_s: float, expected_s: float, text: str) -> None:
    assert start_text(elapsed_s, expected_s) == text


def test_a_start_has_a_bar_and_its_seconds_are_remembered(tmp_path: Path) -> None:
    clock = iter([10.0, 13.0, *(14.0 for _ in range(1_000))])
    console, pace = Console(file=io.StringIO(), force_terminal=True, width=80), Pace(tmp_path / "cache" / "pace.json")
    with start_line("start gate and worker", console, pace, lambda: next(clock)):
        pass
    assert isinstance(console.file, io.StringIO)
    assert "start gate and worker ━" in console.file.getvalue()
    assert "3 s of about 8 s" in console.file.getvalue()
    assert Pace(tmp_path / "cache" / "pace.json").start_s("start gate and worker") == 4.0


@pytest.mark.parametrize(("every_s", "lines"), [(1.0, 6), (2.5, 2), (100.0, 0)])
def test_plain_lines_come_as_often_as_they_are_asked_for(every_s: float, lines: int) -> None:
    clock, console = iter(range(100)), Console(file=io.StringIO(), width=80)
    with ProgressLine("streamed", 100, console, lambda: float(next(clock)), plain_every_s=every_s) as line:
        for done in range(6):
            line.show(done)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("streamed: ") == lines


def test_a_start_that_failed_is_not_remembered(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="broken"),
        start_line("start gate and worker", Console(file=io.StringIO()), Pace(tmp_path / "pace.json"), lambda: 1.0),
    ):
        raise ValueError("broken")
    assert not (tmp_path / "pace.json").exists()


def test_work_is_expected_to_be_as_fast_as_the_last_time(tmp_path: Path) -> None:
    """The pace of what was done here, without what was there at the start and without the wait after the last."""
    file = tmp_path / "pace.json"
    clock = iter([0.0, 1.0, 2.0, 9.0])
    with ProgressLine("audited", 50_000, Console(file=io.StringIO()), lambda: next(clock), 10_000, Pace(file)) as line:
        for done in (20_000, 30_000, 30_000):
            line.show(done)
    assert Pace(file).per_s("audited") == 10_000.0
    assert Pace().per_s("audited") == PER_S["audited"]
    assert Pace(file).per_s("never heard of") == 0.0
    Pace(file).did("audited", 600, 4.0)
    assert Pace(file).per_s("audited") == 10_000.0, "a run this small says nothing"


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '{"audited": "fast", "streamed": -1}', '{"audited": Infinity}'])
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pace.json").write_text(text)
    assert Pace(tmp_path / "pace.json").per_s("audited") == PER_S["audited"]


def test_a_memory_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Pace(tmp_path / "file" / "pace.json").did("audited", 20_000, 1.0)


def test_work_that_tells_nothing_by_itself_is_looked_at() -> None:
    looked = threading.Event()
    with ticking(looked.set, every_s=0.001):
        assert looked.wait(20)


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
        "  streamed: 4 of 10 · 0.8/s · 1 s left · note",
        "  streamed: 9 of 10 · 0.9/s · 1 s left · note",
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
