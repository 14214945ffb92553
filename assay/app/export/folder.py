"""The folder of an export: pairs of Parquet files, each named by the journal offsets that it covers. The names are the watermark.

A pair is there once its decisions are: the labels are written first, and each file is flushed before it takes its name.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import polars as pl

from assay.app.stores.durable import make_directory, replace_file
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

DECISIONS, LABELS = "decisions", "labels"
IDENTITY: Final = "export.json"
#: the journal offset that a folder begins at, and the version of its columns: all files of a folder have the same
FIRST, COLUMNS = "first", "2"
_PART = re.compile(r"(\d{20})-(\d{20})\.parquet")

#: puts a whole file in its place and flushes it
Write = Callable[[Path, bytes], None]


class ExportFolder:
    """The export of one run. `identity` says of which; a folder of another one is refused.

    Raises Stop(EXPORT_UNFIT) for a folder that holds something else, or not all of its parts.
    """

    def __init__(self, directory: Path, identity: dict[str, str], write: Write = replace_file) -> None:
        self._directory, self._identity, self._write = directory, {**identity, "columns": COLUMNS}, write

    def open(self, begin: Callable[[], int] = int) -> int:
        """Make the folder ready and take away what an interrupted export left; the journal offset to go on from. `begin` gives the
        offset of a new folder.
        """
        path = self._directory / IDENTITY
        if path.exists():
            first = self._first(path)
        elif any(self._parts(DECISIONS)):
            self._unfit(f"it holds decisions and no {IDENTITY}")
        else:
            first = begin()
        for name in (DECISIONS, LABELS):
            make_directory(self._directory / name, self._directory)
        if not path.exists():
            self._write(path, json.dumps({**self._identity, FIRST: first}, indent=1).encode() + b"\n")
        for draft in self._directory.rglob(".*.parquet.*"):
            draft.unlink()
        end = self._watermark(first)
        for half in [path for (first, _), path in self._parts(LABELS).items() if first >= end]:
            half.unlink()
        return end

    def commit(self, first: int, end: int, decisions: pl.DataFrame, labels: pl.DataFrame) -> None:
        """Add what journal offsets `first` to `end` (exclusive) gave."""
        for name, frame in ((LABELS, labels), (DECISIONS, decisions)):
            buffer = io.BytesIO()
            frame.write_parquet(buffer)
            self._write(self._directory / name / _name(first, end), buffer.getvalue())

    def known_labels(self) -> pl.DataFrame:
        """The column `label_event_id` of every label that is there."""
        held = [pl.read_parquet(path, columns=["label_event_id"]) for path in self._parts(LABELS).values()]
        return pl.concat(held) if held else pl.DataFrame(schema={"label_event_id": pl.String})

    def _parts(self, name: str) -> dict[tuple[int, int], Path]:
        """The files of a kind by the offsets they cover, in order."""
        matches = ((_PART.fullmatch(path.name), path) for path in sorted((self._directory / name).glob("*.parquet")))
        return {(int(found[1]), int(found[2])): path for found, path in matches if found}

    def _watermark(self, begin: int) -> int:
        labels, end = self._parts(LABELS), begin
        for first, following in self._parts(DECISIONS):
            if first != end:
                self._unfit(f"offsets {end} to {first} of the journal are not covered by {DECISIONS}/")
            if (first, following) not in labels:
                self._unfit(f"{LABELS}/{_name(first, following)} is missing")
            end = following
        return end

    def _first(self, path: Path) -> int:
        """The journal offset that the folder begins at. Refuses the folder of another run or with other columns."""
        try:
            held = json.loads(path.read_bytes())
            begin = int(held.pop(FIRST, 0))
        except (ValueError, TypeError, AttributeError):
            self._unfit(f"{IDENTITY} cannot be read")
        if held != self._identity:
            same_run = {**held, "columns": COLUMNS} == self._identity
            other = f"it is the export of {held.get('run')}, this run is {self._identity['run']}"
            self._unfit("another version of assay wrote it, with other columns" if same_run else other)
        return begin

    def _unfit(self, what: str) -> NoReturn:
        remedy = "Restore the file, or export into another folder."
        raise Stop(Reason.EXPORT_UNFIT, f"the folder cannot be gone on with: {what}", where=str(self._directory), remedy=remedy)


def _name(first: int, end: int) -> str:
    """The file of journal offsets `first` to `end` (exclusive); names sort as offsets do."""
    return f"{first:020d}-{end:020d}.parquet"
