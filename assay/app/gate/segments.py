"""Append-only lines that are durable before anybody is told: an open file of this machine, sealed into create-only objects.

The open file is closed when it is full, or when somebody seals. A closed file becomes `<prefix>/seg-<first line>-<lines>.ndjson` and
goes. Whoever appends never waits for the store. After a crash the open file is closed with its torn end cut off, and a closed file that
the store has already is known by its lines. A line written twice is harmless, its reader knows it by its id.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from assay.app.gate.spool import closed_files, closed_name
from assay.app.stores.durable import make_directory, sync_directory
from assay.app.stores.full import FULL
from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.codecs.lines import lines_in
from assay.contracts.errors import AssayError, Retry
from assay.contracts.reasons import Reason

SEGMENT_BYTES = 8 << 20


class SegmentLog:
    """Lines under one prefix of an object store. One writer appends; one other thread may seal meanwhile.

    `sealed` is told the key and the lines of each segment that is in the store; it raises nothing.
    """

    def __init__(
        self,
        store: ObjectStore,
        prefix: str,
        spool: Path,
        segment_bytes: int = SEGMENT_BYTES,
        now_s: Callable[[], float] = time.monotonic,
        sealed: Callable[[str, bytes], object] | None = None,
    ) -> None:
        self._store, self._prefix, self._sealed = store, prefix, sealed
        self._path = spool
        self._segment_bytes = segment_bytes
        self._now_s = now_s
        self._file = -1
        self._lines = self._bytes = 0
        self._since_s = 0.0
        self._rests = False
        #: the number of the next line in the store, once the store was asked
        self._end: int | None = None
        self._appending, self._sealing = threading.Lock(), threading.Lock()
        self._recover()
        self._closed = len(closed_files(spool))
        with suppress(OSError):  # a disk without room: the lines are where they are
            self._close_file()

    def append(self, lines: Sequence[str]) -> None:
        """Write lines (no newline in them) and return when they are durable; all or none. Raises Retry(RECEIPT_NOT_DURABLE, STORE_FULL)."""
        self.append_whole("".join([f"{line}\n" for line in lines]).encode(), len(lines))

    def append_whole(self, data: bytes, count: int) -> None:
        """The same with so many lines that have their ends."""
        if not count:
            return
        with self._appending:
            try:
                self._write(data)
            except OSError as error:
                self._cut_back()
                what = f"{count} lines under {self._prefix} could not be made durable: {error.strerror}"
                remedy = "Nothing was acknowledged; free space, leave the files of the run in place, and send the call again."
                raise Retry(_reason_of(error), what, where=str(self._path), remedy=remedy) from None
            self._since_s = self._since_s if self._lines else self._now_s()
            self._bytes += len(data)
            self._lines += count
            self._rests = False

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

    def rest(self) -> None:
        """Nothing is on its way: the open file is due."""
        self._rests = True

    def due(self, after_s: float) -> bool:
        """Whether there is something to seal: a closed file, or lines that rest or are older than `after_s` (0: no age)."""
        aged = after_s > 0 and self._now_s() - self._since_s >= after_s
        return self._closed > 0 or (self._lines > 0 and (self._rests or aged))

    @property
    def waiting(self) -> int:
        """Closed files that the store does not have yet."""
        return self._closed

    def seal(self) -> None:
        """Close the open file, and make an object of every closed one. Raises OSError, and as the store does; the lines stay then."""
        with self._sealing:
            self._seal_closed()  # while the store is away, the open file stays one
            with self._appending:
                self._close_file()
                self._rests = False
            self._seal_closed()

    def close(self) -> bool:
        """Seal what is open and let the file go; whether all is sealed. Lines that cannot be sealed now are sealed by the next start."""
        try:
            self.seal()
        except (OSError, AssayError):
            return False
        finally:
            self._let_go()
        return True

    def _seal_closed(self) -> None:
        for path in closed_files(self._path):
            self._create(path.read_bytes())
            path.unlink()
            sync_directory(path.parent)  # one that came back would not be the last of the store any more
        with self._appending:
            self._closed = len(closed_files(self._path))

    def _create(self, data: bytes) -> None:
        """An object with these lines behind the last one, if the last one does not have them already."""
        count = lines_in(data)
        while count:
            if self._end is None and self._look_for(data):
                return
            assert self._end is not None
            begun, self._end = self._end, None  # after a failure nobody knows whether it is there
            key = f"{self._prefix}/seg-{begun:012d}-{count:06d}.ndjson"
            with suppress(ObjectExists):  # by a gate of this run on another machine, or by a try of ours whose answer was lost
                self._store.create(key, data)
                self._end = begun + count
                self._tell(key, data)
                return

    def _look_for(self, data: bytes) -> bool:
        """Find the end of the log in the store; whether its last object holds these lines."""
        self._store.make_durable(self._prefix)  # a file goes because of what is found there
        mine = (key for key in self._store.keys(self._prefix) if key.rpartition("/")[0] == self._prefix)  # others have logs below
        last = max(mine, default=None)
        held = last is not None and self._store.read(last) == data
        self._end = 0 if last is None else _end_of(last)
        if last is not None and held:
            self._tell(last, data)
        return held

    def _tell(self, key: str, data: bytes) -> None:
        if self._sealed is not None:
            self._sealed(key, data)

    def _write(self, data: bytes) -> None:
        if self._file < 0:
            self._recover()
        if self._bytes >= self._segment_bytes:
            self._close_file()
        _write_all(self._file, data)
        os.fdatasync(self._file)
        if not self._is_in_place():
            raise OSError(errno.ESTALE, "their file was deleted or replaced under the gate")

    def _recover(self) -> None:
        """Open the file again and cut a torn end. An OSError leaves it closed and untouched."""
        make_directory(self._path.parent, self._path.parent)
        closed = closed_files(self._path)
        if closed and self._path.exists() and os.path.samestat(self._path.stat(), closed[-1].stat()):
            sync_directory(self._path.parent)  # its other name may be known to nobody but this moment
            self._path.unlink()  # it was closed, and a crash came before a new one took its place
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            sync_directory(self._path.parent)
            held = self._path.read_bytes().partition(b"\0")[0]  # behind a gap that a power failure left, nothing was acknowledged
            held = held[: held.rfind(b"\n") + 1]
            os.ftruncate(file, len(held))
        except OSError:
            os.close(file)
            raise
        self._file = file
        self._lines, self._bytes = held.count(b"\n"), len(held)

    def _close_file(self) -> None:
        """Give the open file's lines a name of their own, and begin a new file. The name is there before the old one goes."""
        if self._file < 0 or not self._lines:
            return
        self._put_back()
        os.fsync(self._file)
        before = closed_files(self._path)
        closed = closed_name(self._path, int(before[-1].stem.rpartition("-")[2]) + 1 if before else 1)
        closed.hardlink_to(self._path)
        try:
            sync_directory(closed.parent)
            self._begin_file(b"")
        except OSError:
            closed.unlink()
            raise
        self._lines, self._bytes = 0, 0
        self._closed += 1

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
            self._let_go()

    def _put_back(self) -> None:
        """A deleted file can be read as long as it is open: write what it holds to its path again."""
        if self._is_in_place():
            return
        held = b""
        while part := os.pread(self._file, self._bytes - len(held), len(held)):
            held += part
        make_directory(self._path.parent, self._path.parent)
        self._begin_file(held)

    def _begin_file(self, held: bytes) -> None:
        """Put a file with these lines in the place of the open one, durably. An OSError leaves the one that is open."""
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

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _reason_of(error: OSError) -> Reason:
    return Reason.STORE_FULL if error.errno in FULL else Reason.RECEIPT_NOT_DURABLE


def _end_of(key: str) -> int:
    first, lines = key.rpartition("/")[2].removeprefix("seg-").removesuffix(".ndjson").split("-")
    return int(first) + int(lines)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
