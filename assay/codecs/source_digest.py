"""What machine code was compiled from: a digest over a module's source and over that of all it imports of its package.

numba knows a cached kernel by the time and size of its own file. A kernel also holds code and constants of the modules it
imports, and an upgrade may change those alone; its old machine code would go on under the new version's name.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path

_IMPORT = re.compile(r"^(?:from|import) ([\w.]+)", re.MULTILINE)


def source_digest(module: str) -> bytes:
    """sha256 over the sources of a loaded module and of its package's modules it imports, directly or not, by name."""
    reached = {module}
    waiting = [module]
    while waiting:
        fresh = _imports(waiting.pop()) - reached
        reached |= fresh
        waiting += fresh
    return sha256(b"".join(sha256(name.encode() + b"\0" + _source(name)).digest() for name in sorted(reached))).digest()


@cache
def _source(module: str) -> bytes:
    file = sys.modules[module].__file__
    return Path(file).read_bytes() if file else b""


@cache
def _imports(module: str) -> frozenset[str]:
    """Loaded modules of the same package that the text of this one imports."""
    package = module.partition(".")[0]
    named = _IMPORT.findall(_source(module).decode())
    return frozenset(name for name in named if name.partition(".")[0] == package and name in sys.modules)
