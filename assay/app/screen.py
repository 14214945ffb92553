"""The one edge between commands and a terminal: whatever is printed passes here, and no control character of an id gets through.

An id comes from a file or from a client. Printed as it is, it could move the cursor, colour the text, or turn the order of a line.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from assay.contracts.visible import visible


class ReaderGone(Exception):
    """Whoever read the output ended, as `head` does."""


class PlainRecord(logging.LogRecord):
    """A line of a log, which a terminal may show, too."""

    def getMessage(self) -> str:  # noqa: N802 - logging's own name
        """The message, safe to print."""
        return visible(super().getMessage())


class Screen(Console):
    """A console whose text passes the edge. Text is no markup: `[bold]` in an id stays `[bold]`."""

    def __init__(self, file: TextIO | None = None, **options: Any) -> None:
        super().__init__(file=file, **{"markup": False, "highlight": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich makes of something to print; its own colours and moves of the cursor are no text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """As `say` does."""
        raise ReaderGone


def prepare_output() -> None:
    """Make logs pass the edge, and print a character that the terminal's encoding does not have as its escape, instead of failing."""
    logging.setLogRecordFactory(PlainRecord)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def leave_quietly() -> None:
    """Nobody reads standard output any more: what is left of it goes nowhere."""
    with suppress(OSError), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def say(text: str = "", *, error: bool = False, end: str = "\n") -> None:
    """Print a text; to standard error if `error`. Raises ReaderGone."""
    try:
        print(visible(text), end=end, file=sys.stderr if error else sys.stdout, flush=True)
    except BrokenPipeError:
        raise ReaderGone from None


def say_json(value: Mapping[str, Any] | list[Any], *, indent: int | None = 1) -> None:
    """Print a value as JSON: on one line if `indent` is None."""
    say(json.dumps(value, indent=indent, ensure_ascii=False))


def counted(count: int, noun: str) -> str:
    """1 payment, 2 payments."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
