"""The changed payments of a backtest as a CSV file, written while it runs and put in place when it is whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from assay.app.backtest.answer import ChangedPayment

COLUMNS = (
    "event_id", "ts_utc", "amount_minor", "currency", "fraud", "from", "to", "score_before", "score_after", "reasons_gone", "reasons_new",
)  # fmt: skip


class Write(Protocol):
    """Takes the next changed payment."""

    def __call__(self, changed: ChangedPayment) -> None: ...


@contextmanager
def ids_file(path: Path | None) -> Generator[Write]:
    """Gives a function that writes a line; without a path it writes nothing. An interrupted backtest leaves no file.

    Raises OSError for a place that cannot be written.
    """
    if path is None:
        yield lambda changed: None
        return
    part = path.with_name(f".{path.name}.part")
    file = part.open("w", encoding="utf-8", newline="")
    try:
        with file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            yield lambda changed: writer.writerow(_line(changed))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _line(changed: ChangedPayment) -> list[object]:
    given = changed.as_json()
    return [" ".join(value) if isinstance(value := given[name], tuple) else value for name in COLUMNS]
