"""Progress of long work: a line that lives on a terminal and goes away when done, a plain line every few seconds anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

#: seconds between plain lines
PLAIN_EVERY_S = 5.0
BAR_MAX, BAR_MIN = 24, 6


def unseen(*_: object) -> None:
    """Progress that nobody looks at."""


def progress_text(done: int, total: int, elapsed_s: float, done_at_start: int = 0) -> str:
    """`12,000 of 100,000 · 8,000/s · 11 s left`. Rows done before this process started do not count into the rate.

    A `total` of 0 is one that nobody knows: `12,000 · 8,000/s · 2.0 s`.
    """
    rate = (done - done_at_start) / elapsed_s if elapsed_s > 0 else 0.0
    if not total:
        return f"{done:,} · {rate:,.0f}/s · {elapsed_s:,.1f} s"
    left = f"{(total - done) / rate:,.0f} s left" if rate > 0 else "unknown time left"
    return f"{done:,} of {total:,} · {rate:,.0f}/s · {left if done < total else f'{elapsed_s:,.1f} s'}"


def progress_line(title: str, text: str, note: str, share: float | None, width: int) -> str:
    """One line of at most `width` columns. What does not fit goes: the bar first (`share` None has none), then the note."""
    noted = f"{text} · {note}" if note else text
    if len(title) + 1 + len(noted) > width:
        return f"{title} {text}"[:width]
    room = min(BAR_MAX, width - len(title) - len(noted) - 2)
    if share is None or room < BAR_MIN:
        return f"{title} {noted}"
    filled = round(room * min(1.0, share))
    return f"{title} {'━' * filled}{'╌' * (room - filled)} {noted}"


class ProgressLine:
    """Shows one piece of work. `monotonic_s` gives seconds, so that a test can hold the clock."""

    def __init__(self, title: str, total: int, console: Console, monotonic_s: Callable[[], float], done: int = 0) -> None:
        self._title, self._total, self._console, self._monotonic_s = title, total, console, monotonic_s
        self._start_s = self._shown_s = monotonic_s()
        self._done = self._done_at_start = done
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))  # whoever called us may wait on it
            self._live = Live(Text(), console=self._console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def show(self, done: int, note: str = "", total: int | None = None) -> None:
        """So much is done. `note` is appended to the line; `total` replaces the one given at first."""
        self._done = done
        self._total = self._total if total is None else total
        now_s = self._monotonic_s()
        text = progress_text(done, self._total, now_s - self._start_s, self._done_at_start)
        if self._live is not None:
            share = done / self._total if self._total else None
            self._live.update(Text("  " + progress_line(self._title, text, note, share, self._console.width - 3), no_wrap=True))
        elif now_s - self._shown_s >= PLAIN_EVERY_S:
            self._shown_s = now_s
            self._console.print(f"  {self._title}: {text}" + (f" · {note}" if note else ""), highlight=False, soft_wrap=True)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
