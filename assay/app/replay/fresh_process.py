"""A process that shares nothing with this one: another hash seed, kernels compiled for any CPU of the architecture."""

from __future__ import annotations

import subprocess
import sys

from assay.app.settings import inherited

HASH_SEED = "4242"
#: numba reads these; a generic target uses no instruction the machine happens to have
GENERIC = {"PYTHONHASHSEED": HASH_SEED, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}


def is_fresh() -> bool:
    """Whether this process was started by `run_fresh`."""
    environment = inherited()
    return all(environment.get(name) == value for name, value in GENERIC.items())


def run_fresh(arguments: list[str], stdout: int | None = None) -> int:
    """Run an assay command in such a process; its exit code. `stdout` as `subprocess.run` takes it."""
    argv = [sys.executable, "-m", "assay", *arguments]
    return subprocess.run(argv, env={**inherited(), **GENERIC}, stdout=stdout, check=False).returncode
