"""Append-only lines that are durable before anybody is told: one open file, sealed into create-only objects.

The open file lives beside the store until it is full, then becomes `<prefix>/seg-<first line>-<lines>.ndjson`. After a crash the
open file is read again and a torn end cut off; a line written twice is harmless, its reader knows it by its id.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from assay.app.stores.durable import make_directory, sync_directory
from assay.app.stores.full import FULL
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

SEGMENT_BYTES = 8 << 20


class SegmentLog:
    """Lines under one prefix of an object store. One writer."""

    def __init__(self, store: ObjectStore, prefix: str, spool: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._store = store
        self._prefix = prefix
        self._path = spool
        self._segment_bytes = segment_bytes
        self._file = -1
        self._first = self._lines = self._bytes = 0
        self._recover()

    def append(self, lines: Sequence[str]) -> None:
        """Write lines (no newline in them) and return when they are durable; all or none. Raises Retry(RECEIPT_NOT_DURABLE, STORE_FULL)."""
        if not lines:
            return
        data = ("\n".join(lines) + "\n").encode()
        try:
            if self._file < 0:
                self._recover()
            if self._bytes >= self._segment_bytes:
                self.seal()
            _write_all(self._file, data)
            os.fdatasync(self._file)
            if not self._is_in_place():
                raise OSError(errno.ESTALE, "their file was deleted or replaced under the gate")
        except OSError as error:
            self._cut_back()
            what = f"{len(lines)} lines under {self._prefix} could not be made durable: {error.strerror}"
            remedy = "Nothing was acknowledged; free space, leave the files of the run in place, and send the call again."
            raise Retry(_reason_of(error), what, where=str(self._path), remedy=remedy) from None
        self._bytes += len(data)
        self._lines += len(lines)

    def probe(self) -> None:
        """Write and flush a page beside the open file. Raises Retry(RECEIPT_NOT_DURABLE, STORE_FULL)."""
        beside = self._path.with_suffix(".probe")
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)  # when it was deleted, the next append restores what lay in it
            with beside.open("wb") as file:
                file.write(b"\0" * 4096)
                file.flush()
                os.fdatasync(file.fileno())
        except OSError as error:
            what, remedy = f"nothing can be written: {error.strerror}", "Free space or repair the disk; the gate resumes by itself."
            raise Retry(_reason_of(error), what, where=str(beside), remedy=remedy) from None

    def seal(self) -> None:
        """Turn the open file into an object of the store and begin a new one."""
        if self._file < 0 or not self._lines:
            return
        self._put_back()
        with suppress(ObjectExists):  # sealed before a crash that came before the open file was emptied
            self._store.create(f"{self._prefix}/seg-{self._first:012d}-{self._lines:06d}.ndjson", self._path.read_bytes())
        os.ftruncate(self._file, 0)
        os.fsync(self._file)
        self._first, self._lines, self._bytes = self._first + self._lines, 0, 0

    def close(self) -> None:
        """Seal what is open and let the file go. Lines that cannot be sealed now stay in the open file, and are at the next start."""
        if self._file < 0:
            return
        with suppress(OSError):
            self.seal()
        os.close(self._file)
        self._file = -1

    def _recover(self) -> None:
        """Open the file again: cut a torn end, drop lines that are sealed already. An OSError leaves it closed and untouched."""
        make_directory(self._path.parent, self._path.parent)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            sync_directory(self._path.parent)
            self._store.make_durable(self._prefix)  # the open file is emptied for what is found there
            sealed = sorted(self._store.keys(self._prefix))
            held = self._path.read_bytes().partition(b"\0")[0]  # behind a gap that a power failure left, nothing was acknowledged
            held = held[: held.rfind(b"\n") + 1]
            if sealed and held and self._store.read(sealed[-1]) == held:
                held = b""
            os.ftruncate(file, len(held))
        except OSError:
            os.close(file)
            raise
        self._file = file
        self._first = _end_of(sealed[-1]) if sealed else 0
        self._lines, self._bytes = held.count(b"\n"), len(held)

    def _is_in_place(self) -> bool:
        """Whether the open file is the one that its path names. Lines in another would be found by nobody."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _cut_back(self) -> None:
        """Back to what is durable; where even that fails, the file is opened again before the next line."""
        if self._file < 0:  # it could not even be opened
            return
        try:
            os.ftruncate(self._file, self._bytes)
            with suppress(OSError):  # the next append meets the same disk and says so
                self._put_back()
        except OSError:
            os.close(self._file)
            self._file = -1

    def _put_back(self) -> None:
        """A deleted file can be read as long as it is open: write what it holds to its path again."""
        if self._is_in_place():
            return
        held = b""
        while part := os.pread(self._file, self._bytes - len(held), len(held)):
            held += part
        make_directory(self._path.parent, self._path.parent)
        beside = self._path.with_suffix(".restored")
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            _write_all(file, held)
            os.fsync(file)
            beside.replace(self._path)
            sync_directory(self._path.parent)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file


def _reason_of(error: OSError) -> Reason:
    return Reason.STORE_FULL if error.errno in FULL else Reason.RECEIPT_NOT_DURABLE


def _end_of(key: str) -> int:
    first, lines = key.rpartition("/")[2].removeprefix("seg-").removesuffix(".ndjson").split("-")
    return int(first) + int(lines)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
