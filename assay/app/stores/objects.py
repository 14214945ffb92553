"""Object store port and its directory form: create-only writes, atomic replacement, listing in key order."""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from assay.app.stores.durable import make_directory, replace_file, sync_directory, write_draft
from assay.app.stores.file_lock import writer_lock


class ObjectExists(Exception):
    """A create-only write met an object of that key."""


class ObjectChanged(Exception):
    """A conditional write met another object than the one it was to replace."""


class ObjectStore(Protocol):
    """Keys are relative paths with forward slashes."""

    def create(self, key: str, data: bytes) -> None:
        """Write once, durably. Raises ObjectExists; the object that is there is durable then, whoever wrote it."""

    def replace(self, key: str, data: bytes) -> None:
        """Write or overwrite atomically, durably."""

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        """Replace the object, atomically and durably, if it is the expected one (None: there is none). Raises ObjectChanged."""

    def read(self, key: str) -> bytes:
        """The whole object. Raises FileNotFoundError."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys below a prefix in ascending order."""

    def make_durable(self, prefix: str) -> None:
        """Objects of others are seen a little before they are durable: on return, all that were seen below a folder are."""


class LargeObjects(ObjectStore, Protocol):
    """A store for objects that memory should not hold twice."""

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        """Write once, durably, what `blocks` gives; nothing if it raises. Raises ObjectExists."""

    def view(self, key: str) -> memoryview:
        """The whole object, read as it is looked at. Raises FileNotFoundError."""

    def remove(self, key: str) -> None:
        """Remove an object that may be gone already."""

    def remove_below(self, folder: str) -> None:
        """Remove every object below a folder, also what an interrupted write left there."""


class SizedObjects(LargeObjects, Protocol):
    """A store that tells how large an object is without reading it."""

    def size(self, key: str) -> int:
        """Bytes of an object. Raises FileNotFoundError."""

    def size_below(self, folder: str) -> int:
        """Bytes of all objects below a folder; 0 for none."""

    def described(self) -> tuple[str, str]:
        """Claim level (`parity`: a server as in production, `smoke`: a stand-in) and name of what keeps the objects."""


class DirectoryStore:
    """Objects as files below a root. Claim level `smoke`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        #: folders whose own entries this process has flushed
        self._folders: set[Path] = set()

    def create(self, key: str, data: bytes) -> None:
        self.create_from(key, (data,))

    def create_from(self, key: str, blocks: Iterable[bytes | memoryview]) -> None:
        path = self._place(key)
        temporary = write_draft(path, blocks)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise ObjectExists(key) from None
        finally:
            temporary.unlink()
            sync_directory(path.parent)  # also of an object that was there: its writer may have ended before it did this

    def replace(self, key: str, data: bytes) -> None:
        replace_file(self._place(key), data)

    def swap(self, key: str, data: bytes, expected: bytes | None) -> None:
        path = self._place(key)
        temporary = write_draft(path, (data,))
        try:
            with writer_lock(path.parent / f".{path.name}.lock"):
                if (path.read_bytes() if path.exists() else None) != expected:
                    raise ObjectChanged(key)
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def view(self, key: str) -> memoryview:
        with (self.root / key).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else memoryview(b"")

    def size(self, key: str) -> int:
        return (self.root / key).stat().st_size

    def size_below(self, folder: str) -> int:
        return sum(map(self.size, self.keys(folder)))

    def described(self) -> tuple[str, str]:
        return "smoke", "a directory"

    def remove(self, key: str) -> None:
        path = self.root / key
        path.unlink(missing_ok=True)

    def remove_below(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def keys(self, prefix: str) -> Iterator[str]:
        base = self.root / prefix
        found = (path for path in base.rglob("*") if path.is_file() and not path.name.startswith("."))
        yield from sorted(path.relative_to(self.root).as_posix() for path in found)

    def make_durable(self, prefix: str) -> None:
        for folder, _, _ in os.walk(self.root / prefix):  # whose own entries were flushed before the first object in them
            with suppress(FileNotFoundError):  # removed meanwhile
                sync_directory(Path(folder))

    def _place(self, key: str) -> Path:
        """The path of an object to be written, in a folder that is there after a power failure."""
        path = self.root / key
        if path.parent not in self._folders or not path.parent.is_dir():
            make_directory(path.parent, self.root)
            self._folders.add(path.parent)
        return path
