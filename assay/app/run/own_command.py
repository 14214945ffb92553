"""How this very program was called, so that the commands it prints can be copied as they are."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def own_command(called: str | None = None, interpreter: str = sys.executable) -> str:
    """`assay` when the shell finds this one by that name, else a path or an interpreter and module that start it."""
    program = Path(sys.argv[0] if called is None else called)
    if program.name == "__main__.py":
        return f"{shlex.quote(_short(Path(interpreter)))} -m assay"
    found = shutil.which(program.name)
    if found is not None and Path(found).absolute() == program.absolute():
        return program.name
    return shlex.quote(_short(program))


def _short(path: Path) -> str:
    """Relative to the current directory where it lies below; links are not followed, they are how it was called."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
