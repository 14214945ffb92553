"""Rows that wait for the rest of their key range: in memory up to a budget, beyond it in a file without a name."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from assay.app.stores.full import naming_full


class Buckets:
    """Frames by bucket, each bucket's in the order in which they came. `budget` and `held`: bytes.

    The file has no name: it is gone with the process, however that ends. Its places are not used twice, so it grows to the rows
    that did not fit.
    """

    def __init__(self, count: int, budget: int, folder: Path) -> None:
        self._held: list[list[pl.DataFrame]] = [[] for _ in range(count)]
        self._sizes = [0] * count
        self._spilled: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self._budget, self._folder = budget, folder
        self._file: int | None = None
        self.held = self.spilled_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            os.close(self._file)

    def add(self, bucket: int, rows: pl.DataFrame) -> None:
        """Keep rows. Raises StoreFull where the file finds no room."""
        size = int(rows.estimated_size())
        self._held[bucket].append(rows)
        self._sizes[bucket] += size
        self.held += size
        while self.held > self._budget:
            self._spill(max(range(len(self._sizes)), key=self._sizes.__getitem__))

    def take(self, bucket: int) -> list[pl.DataFrame]:
        """All rows of a bucket; it is empty then."""
        pieces = [self._read(place) for place in self._spilled[bucket]] + self._held[bucket]
        self.held -= self._sizes[bucket]
        self._held[bucket], self._spilled[bucket], self._sizes[bucket] = [], [], 0
        return pieces

    def _spill(self, bucket: int) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                self._file = os.dup(file.fileno())
        buffer = io.BytesIO()
        pl.concat(self._held[bucket]).write_ipc_stream(buffer)
        view = buffer.getbuffer()
        self._spilled[bucket].append((self.spilled_bytes, len(view)))
        with naming_full(self._folder):
            for begin in range(0, len(view), _BLOCK):
                _write(self._file, view[begin : begin + _BLOCK], self.spilled_bytes + begin)
        self.spilled_bytes += len(view)
        self.held -= self._sizes[bucket]
        self._held[bucket], self._sizes[bucket] = [], 0

    def _read(self, place: tuple[int, int]) -> pl.DataFrame:
        assert self._file is not None
        at, size = place
        data = bytearray()
        while len(data) < size:
            data += os.pread(self._file, min(_BLOCK, size - len(data)), at + len(data))
        return pl.read_ipc_stream(io.BytesIO(data))


#: bytes of one call of the system
_BLOCK = 2**26


def _write(file: int, data: memoryview, at: int) -> None:
    while len(data):
        done = os.pwrite(file, data, at)
        data, at = data[done:], at + done
