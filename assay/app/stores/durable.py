"""Files and directories that a power failure leaves alone: each function returns once what it made is on the disk.

A file is found again only when its directory was flushed too, and a directory only when the one above it was. A process may be
killed between a change and its flush. So who relies on what it finds flushes that first, whoever made it. A disk without room raises
StoreFull.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from assay.app.stores.full import naming_full


def sync_file(path: Path) -> None:
    """Flush what any process has written to a file."""
    _sync(path)


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory."""
    _sync(path)


def create_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Make a file that is not there: after a power failure it is whole or not there. Raises FileExistsError, and then changes nothing."""
    draft = write_draft(path, (data,), mode)
    try:
        path.hardlink_to(draft)  # unlike a rename, this never takes the place of another file
    finally:
        draft.unlink()
        sync_directory(path.parent)  # also of a file that was there: its writer may have ended before it did this


def make_directory(path: Path, root: Path) -> None:
    """Make a directory and those above it. Entries from that of `root` down are flushed, also those that were there.

    What is above `root` belongs to others: an entry there is flushed when it is made here.
    """
    if path != root:
        make_directory(path.parent, root)
    elif not root.parent.is_dir():
        make_directory(root.parent, root.parent)
    made = not path.is_dir()
    with naming_full(path):
        path.mkdir(exist_ok=True)
    if made or path != root or os.access(path.parent, os.R_OK):
        sync_directory(path.parent)


def write_draft(path: Path, blocks: Iterable[bytes | memoryview], mode: int = 0o666) -> Path:
    """Write a new hidden file beside `path` and flush it; nothing is left if this raises. Gives its path."""
    # writers are threads, processes, and containers on one volume: no two may share a draft, and a pid is not theirs alone
    draft = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with naming_full(path), os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.writelines(blocks)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)  # no later write would find and replace it
        raise
    return draft


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Put a file in the place of another, or of none: after a power failure there is one of both, whole."""
    write_draft(path, (data,), mode).replace(path)
    sync_directory(path.parent)


def append(path: Path, data: bytes) -> None:
    """Write to the end of a file. After a power failure meanwhile, there is any part of the data, with zeros in its gaps."""
    with naming_full(path), path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        with naming_full(path):
            os.fsync(handle)
    finally:
        os.close(handle)
