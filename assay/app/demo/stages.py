"""What a demo says while it runs: each stage before it starts and when it ends, its processes, and what was proven."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from assay.app.pace import Pace
from assay.app.progress import start_line
from assay.app.report.evidence import ProcessUsage, Stage

NAME_WIDTH = 34


@dataclass
class Timing:
    """A stage that is running; `rows` may be set while it does, for a rate."""

    rows: int | None = None


@dataclass
class Stages:
    """Wall time per stage. On a terminal one line says what is being done and becomes what was done."""

    console: Console
    done: list[Stage] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)
    pace: Pace = field(default_factory=Pace)

    @contextmanager
    def stage(self, name: str, rows: int | None = None, *, starts: bool = False) -> Iterator[Timing]:
        """Time one stage. What is printed meanwhile stands above its line. A stage that `starts` servers has a bar of its own."""
        start_s = time.monotonic()
        running = Timing(rows)
        self._begin(name)
        with start_line(name, self.console, self.pace, time.monotonic) if starts else nullcontext():
            yield running
        wall_s = time.monotonic() - start_s
        self.done.append(Stage(name=name, wall_s=wall_s, rows=running.rows))
        self._clear()
        rate = f"{running.rows / wall_s:>12,.0f} rows/s" if running.rows and wall_s else ""
        self.say(f"{name:<{NAME_WIDTH}}{wall_s:7.1f} s{rate}")

    def say(self, text: str) -> None:
        """A line of its own that no width cuts."""
        self.console.print(Text(f"  {text}"), soft_wrap=True)

    @property
    def wall_s(self) -> float:
        """Seconds since the first stage."""
        return time.monotonic() - self.started_s

    def _begin(self, name: str) -> None:
        self.console.print(Text(f"  {name} …", style="dim"), end="" if self.console.is_terminal else "\n")

    def _clear(self) -> None:
        if self.console.is_terminal:
            self.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))


def in_run(path: Path | None, directory: Path) -> str:
    """A path as seen from the run's directory, as it is when it lies elsewhere, empty for none and for the directory itself."""
    absolute, home = (path or directory).resolve(), directory.resolve()
    if absolute == home:
        return ""
    return str(absolute.relative_to(home)) if absolute.is_relative_to(home) else str(absolute)


def table(processes: Sequence[ProcessUsage]) -> list[str]:
    """One line per process: name, pid, port, log and data."""
    rows = [("process", "pid", "port", "log", "data")]
    rows += [(one.name, str(one.pid or "given"), str(one.port or ""), one.log, one.data) for one in processes]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    return [
        f"  {name:<{widths[0]}}  {pid:>{widths[1]}}  {port:>{widths[2]}}  {log:<{widths[3]}}  {data}".rstrip()
        for name, pid, port, log, data in rows
    ]
