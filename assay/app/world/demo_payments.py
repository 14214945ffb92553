"""The payments of a demo's own world."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from assay.app.progress import ProgressLine
from assay.app.stores.objects import DirectoryStore

WORKERS = 2


def payments_of_world(scale: str, seed: int, folder: Path, file: Path, console: Console) -> int:
    """Make a world in a folder, or go on with it, and write its payments to a file; how many there are."""
    from assay.app.world.generation import SEGMENTS  # the engine loads only where a world is made
    from assay.app.world.payments import write_payments

    store = DirectoryStore(folder)
    bank_of_world(scale, seed, store, console)
    return len(write_payments(store, SEGMENTS, file))


def bank_of_world(scale: str, seed: int, store: DirectoryStore, console: Console) -> None:
    """Make a world in a store, or go on with it."""
    from assay.app.world.generation import generate_world

    with ProgressLine("making the bank", 0, console, time.monotonic) as line:
        generate_world(store, scale, seed, WORKERS, time.time_ns() // 1_000, lambda where, done, total: line.show(done, where, total))
