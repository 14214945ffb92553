"""The changed payments of a backtest as a CSV file, written while it runs and put in place when it is whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from assay.app.backtest.answer import ChangedPayment
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

COLUMNS = (
    "event_id", "source_id", "ts_utc", "amount_minor", "currency", "fraud", "from", "to", "score_before", "score_after", "reasons_gone",
    "reasons_new",
)  # fmt: skip


class Write(Protocol):
    """Takes the next changed payment."""

    def __call__(self, changed: ChangedPayment) -> None: ...


@contextmanager
def ids_file(path: Path | None) -> Generator[Write]:
    """Gives a function that writes a line; without a path it writes nothing. An interrupted backtest leaves no file.

    Raises OSError for a place that cannot be written, Stop(OUTPUT_FILE_TAKEN) for a file that is there, also one made meanwhile.
    """
    if path is None:
        yield lambda changed: None
        return
    if path.exists():
        raise _taken(path)
    part = path.with_name(f".{path.name}.part")
    file = part.open("w", encoding="utf-8", newline="")
    try:
        with file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            yield lambda changed: writer.writerow(_line(changed))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(part)  # unlike a rename, this never takes the place of another file
        except FileExistsError:
            raise _taken(path) from None
    finally:
        part.unlink(missing_ok=True)


def _taken(path: Path) -> Stop:
    remedy = "Name a file that is not there: nothing is overwritten."
    return Stop(Reason.OUTPUT_FILE_TAKEN, "there is a file of this name", where=str(path), remedy=remedy)


def _line(changed: ChangedPayment) -> list[object]:
    given = changed.as_json()
    return [" ".join(value) if isinstance(value := given[name], tuple) else value for name in COLUMNS]
