"""A disk that forgets when its power fails: what was flushed is left, and of all other changes any part.

The system's flushes are noted, nothing of ours is replaced. At any moment `left` gives what a machine would find after its power
came back: each file and each entry of a directory is as it was when it was flushed last, or as it is now, whatever the others are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import BinaryIO, TypeAlias

#: one of so many possibilities; the first is "as it was flushed", the last "as it is"
Chance: TypeAlias = Callable[[int], int]
#: bytes of files and None for directories, by relative path
Left: TypeAlias = dict[str, bytes | None]


def nothing(_: int) -> int:
    """All that was not flushed is lost."""
    return 0


def everything(possibilities: int) -> int:
    """All that was not flushed is there, as after the end of a process."""
    return possibilities - 1


def some(random: Random) -> Chance:
    """Of what was not flushed, some is there."""
    return random.randrange


class LossyDisk:
    """The files below a folder. What is there at the beginning is flushed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        #: called before a flush takes effect: here power may fail, or the process ends
        self.before_flush: Callable[[], None] = lambda: None
        self._files: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {}
        #: open, so that no later file gets the number of one that is gone
        self._held: dict[int, BinaryIO] = {}
        for path in self._paths().values():
            self._note(path)

    def flush(self, handle: int) -> None:
        """In the place of `os.fsync` and `os.fdatasync`."""
        path = self._paths().get(os.fstat(handle).st_ino)
        if path is not None:
            self.before_flush()
            self._note(path)

    def left(self, chance: Chance) -> Left:
        """What is found if power fails now."""
        paths, contents = self._paths(), dict[int, bytes]()
        return dict(self._below(self.root.stat().st_ino, "", paths, contents, chance))

    def close(self) -> None:
        """Let go of all files."""
        for file in self._held.values():
            file.close()

    def _paths(self) -> dict[int, Path]:
        return {path.stat().st_ino: path for path in (self.root, *self.root.rglob("*"))}

    def _note(self, path: Path) -> None:
        if path.is_dir():
            self._entries[path.stat().st_ino] = _entries(path)
            for entry in path.iterdir():
                self._hold(entry)
        else:
            self._hold(path)
            self._files[path.stat().st_ino] = path.read_bytes()

    def _hold(self, path: Path) -> None:
        if path.is_file() and path.stat().st_ino not in self._held:
            self._held[path.stat().st_ino] = path.open("rb")

    def _below(
        self, directory: int, at: str, paths: dict[int, Path], contents: dict[int, bytes], chance: Chance
    ) -> Iterator[tuple[str, bytes | None]]:
        flushed, now = self._entries.get(directory, {}), _entries(paths[directory]) if directory in paths else {}
        for name in sorted(flushed.keys() | now.keys()):
            inode = _one_of([flushed.get(name), now.get(name)], chance)
            if inode is None:
                continue
            if inode in self._entries or (inode in paths and paths[inode].is_dir()):
                yield f"{at}{name}", None
                yield from self._below(inode, f"{at}{name}/", paths, contents, chance)
            else:
                contents[inode] = contents[inode] if inode in contents else self._content(inode, paths, chance)
                yield f"{at}{name}", contents[inode]

    def _content(self, inode: int, paths: dict[int, Path], chance: Chance) -> bytes:
        """As flushed, as now, or with a part of its new end and a gap in it: a later part may be written before an earlier one."""
        flushed, now = self._files.get(inode, b""), self._now(inode, paths)
        if not now.startswith(flushed):
            return (flushed, now)[chance(2)]
        size = len(flushed) + chance(len(now) - len(flushed) + 1)
        gap = len(flushed) + chance(size - len(flushed) + 1)
        behind = gap + chance(size - gap + 1)
        return now[:gap] + (now[gap:size] if chance(2) else bytes(behind - gap) + now[behind:size])

    def _now(self, inode: int, paths: dict[int, Path]) -> bytes:
        if inode in paths:
            return paths[inode].read_bytes()
        held = self._held[inode]
        held.seek(0)
        return held.read()


def put_back(left: Left, folder: Path) -> None:
    """Write what is left into a new folder."""
    folder.mkdir()
    for name, content in left.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)


def _entries(directory: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(directory)}


def _one_of(versions: list[int | None], chance: Chance) -> int | None:
    different = list(dict.fromkeys(versions))
    return different[chance(len(different))]
