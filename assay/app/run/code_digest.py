"""What code computed: sha256 over the sources of the pure packages. Journal records carry it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

PURE = ("contracts", "codecs", "tables", "agents")
#: the shell moves bytes and decides nothing
LEFT_OUT = ("agents/faust_shell",)


@cache
def code_digest() -> bytes:
    """32 bytes over (path, content) of every Python and data file of the pure packages, in path order."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(p for name in PURE for p in (root / name).rglob("*") if p.suffix in (".py", ".avsc")):
        relative = path.relative_to(root).as_posix()
        if not relative.startswith(LEFT_OUT):
            digest.update(f"{relative}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.digest()
