"""Memory that a virtual machine has to ask its host for, asked for before a measurement instead of within it.

A host that takes free pages back hands them out again one fault at a time: writing to new memory, a log segment in the page
cache as well as a buffer, then goes at some 0.3 GB/s instead of 3. Who writes most pays most, and how much depends on
what ran before. Touched pages stay with the machine for some seconds, whoever gets them next. On real hardware this
changes nothing.
"""

from __future__ import annotations

import mmap
from argparse import ArgumentParser, BooleanOptionalAction

import psutil

_BLOCK = bytes([1]) * 2**20


def touch(size: int) -> None:
    """Write to so many bytes of free memory, or to half of what there is, and let go of them."""
    size = min(size, psutil.virtual_memory().available // 2)
    with mmap.mmap(-1, max(size, len(_BLOCK))) as memory:
        for start in range(0, size - len(_BLOCK) + 1, len(_BLOCK)):
            memory[start : start + len(_BLOCK)] = _BLOCK


def add_touch(parser: ArgumentParser) -> None:
    """The option of a benchmark that touches memory first."""
    parser.add_argument(
        "--touch", action=BooleanOptionalAction, default=True,
        help="write to free memory before a measurement, so that a virtual machine has it by then",
    )  # fmt: skip
