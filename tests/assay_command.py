"""The `assay` command as a user calls it: a process of its own, its exit code and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from reasons_met import seen


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything it printed."""
        return self.out + self.err


def assay(*arguments: str | Path, cwd: Path | None = None, timeout_s: float = 120.0, **variables: str) -> Ended:
    """Run a command to its end; `variables` are further environment variables."""
    done = subprocess.run(
        [sys.executable, "-m", "assay", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=timeout_s, env=environment(variables), check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, seen(done.stderr))


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with some variables set."""
    return {**os.environ, **variables}
