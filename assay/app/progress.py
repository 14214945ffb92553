"""Progress of long work: a line that lives on a terminal and goes away when done, a plain line every few seconds anywhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from assay.app.pace import Pace

#: seconds between plain lines
PLAIN_EVERY_S = 5.0
#: seconds between two looks at work that tells nothing by itself
TICK_S = 0.25
BAR_MAX, BAR_MIN = 24, 6
#: what was expected counts as much as so many seconds of what is seen
EXPECTED_WEIGHT_S = 2.0
#: slower work is told with a decimal
SLOW_PER_S = 10.0
#: after so long without anything done, nobody can say how long it takes
STILL_S = 5.0


def unseen(*_: object) -> None:
    """Progress that nobody looks at."""


def progress_text(
    done: int, total: int, elapsed_s: float, done_at_start: int = 0, *, expected_per_s: float = 0.0, still_s: float = 0.0
) -> str:
    """`12,000 of 100,000 · 8,000/s · 11 s left`. Rows done before this process started do not count into the rate.

    `expected_per_s` is what the time left is told by at first, 0 for nobody knows; `still_s` is how long nothing was done.
    A `total` of 0 is one that nobody knows: `12,000 · 8,000/s · 2.0 s`.
    """
    mine = done - done_at_start
    rate = mine / elapsed_s if elapsed_s > 0 else 0.0
    speed = f" · {rate:,.{0 if rate >= SLOW_PER_S else 1}f}/s" if mine else ""
    if not total:
        return f"{done:,}{speed} · {elapsed_s:,.1f} s"
    if done >= total:
        return f"{done:,} of {total:,}{speed} · {elapsed_s:,.1f} s"
    if still_s >= STILL_S:
        return f"{done:,} of {total:,}{speed} · nothing for {still_s:,.0f} s"
    weight_s = EXPECTED_WEIGHT_S if expected_per_s else 0.0
    likely = (mine + expected_per_s * weight_s) / (elapsed_s + weight_s) if elapsed_s + weight_s else 0.0
    left = f" · {max(1.0, (total - done) / likely):,.0f} s left" if likely else ""
    return f"{done:,} of {total:,}{speed}{left}"


def start_text(elapsed_s: float, expected_s: float) -> str:
    """`4 s of about 12 s`, for a start that cannot be counted."""
    if not expected_s:
        return f"{elapsed_s:,.0f} s"
    return f"{elapsed_s:,.0f} s of about {expected_s:,.0f} s" if elapsed_s <= expected_s else f"{elapsed_s:,.0f} s, longer than usual"


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


class LiveLine:
    """A line of a terminal that is written anew each time, and gone at the end. Nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))  # whoever called us may wait on it
            self._live = Live(Text(), console=self.console, transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def write(self, title: str, text: str, note: str, share: float | None) -> bool:
        """Whether there is a terminal, and it shows this now."""
        if self._live is not None:
            self._live.update(Text("  " + progress_line(title, text, note, share, self.console.width - 3), no_wrap=True))
        return self._live is not None

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


class ProgressLine:
    """Shows one piece of work. `monotonic_s` gives seconds, so that a test can hold the clock; `pace` knows how fast it was before."""

    def __init__(
        self,
        title: str,
        total: int,
        console: Console,
        monotonic_s: Callable[[], float],
        done: int = 0,
        pace: Pace | None = None,
        plain_every_s: float = PLAIN_EVERY_S,
    ) -> None:
        self._title, self._total, self._console, self._monotonic_s = title, total, console, monotonic_s
        self._start_s = self._shown_s = self._moved_s = monotonic_s()
        self._done = self._done_at_start = done
        self._pace, self._plain_every_s = Pace() if pace is None else pace, plain_every_s
        self._line = LiveLine(console)

    def __enter__(self) -> Self:
        self._line.__enter__()
        if self._total:
            self._write(self._start_s, "")
        return self

    def show(self, done: int, note: str = "", total: int | None = None) -> None:
        """So much is done. `note` is appended to the line; `total` replaces the one given at first."""
        now_s = self._monotonic_s()
        if done != self._done:
            self._done, self._moved_s = done, now_s
        self._total = self._total if total is None else total
        if not self._write(now_s, note) and now_s - self._shown_s >= self._plain_every_s:
            self._shown_s = now_s
            self._console.print(f"  {self._title}: {self._text(now_s)}" + (f" · {note}" if note else ""), highlight=False, soft_wrap=True)

    def _write(self, now_s: float, note: str) -> bool:
        return self._line.write(self._title, self._text(now_s), note, self._done / self._total if self._total else None)

    def _text(self, now_s: float) -> str:
        expected, still_s = self._pace.per_s(self._title), now_s - self._moved_s
        since_s = now_s - self._start_s
        return progress_text(self._done, self._total, since_s, self._done_at_start, expected_per_s=expected, still_s=still_s)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._line.__exit__(kind, value, trace)
        if kind is None:
            self._pace.did(self._title, self._done - self._done_at_start, self._moved_s - self._start_s)


@contextmanager
def ticking(look: Callable[[], object], every_s: float = TICK_S) -> Iterator[None]:
    """Look at work again and again, in a thread, while the block does it."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            look()

    thread = threading.Thread(target=run, daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def start_line(name: str, console: Console, pace: Pace, monotonic_s: Callable[[], float]) -> Iterator[None]:
    """A bar over the seconds that a start took the last time; the seconds of this one are remembered if it succeeds."""
    began_s, expected_s = monotonic_s(), pace.start_s(name)
    with LiveLine(console) as line:

        def look() -> None:
            elapsed_s = monotonic_s() - began_s
            line.write(name, start_text(elapsed_s, expected_s), "", min(0.95, elapsed_s / expected_s) if expected_s else None)

        look()
        with ticking(look):
            yield
    pace.started(name, monotonic_s() - began_s)
