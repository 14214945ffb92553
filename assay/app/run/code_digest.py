"""The digest of the code that decides: journal records carry it, and a worker with another digest does not continue an unemitted tail.

It covers the pure packages (contracts, codecs, tables, agents: steps, topology, assembly, the meaning of features and rules), the Avro
schemas, the topic files, and the file that compiles a run's documents into plans. It leaves out the Faust shell, the rest of `app`, and
documents of the borders and of policies: these have digests of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

#: patterns of the files that decide, from the import root
DECIDES: Final = (
    "contracts/**/*.py",
    "contracts/schemas/**/*.avsc",
    "contracts/topics/*.yaml",
    "codecs/**/*.py",
    "tables/**/*.py",
    "agents/**/*.py",
    "app/lane/assembly.py",
)
#: the shell moves bytes and decides nothing
LEFT_OUT: Final = "agents/faust_shell/"


@cache
def code_digest() -> bytes:
    """32 bytes over the code of this process."""
    return digest_of(Path(__file__).resolve().parents[2])


def digest_of(root: Path) -> bytes:
    """32 bytes: sha256 over (path, sha256 of the content) of every file that decides, in path order. `root` is a folder `assay`."""
    digest = hashlib.sha256()
    for name, path in sorted(_files(root)):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.digest()


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for pattern in DECIDES:
        for path in root.glob(pattern):
            name = path.relative_to(root).as_posix()
            if not name.startswith(LEFT_OUT):
                yield name, path
