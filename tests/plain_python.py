"""What kernels give without machine code: a program in a process of its own, which imports what this one can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def printed(program: str) -> str:
    """What a program prints where kernels run as plain Python."""
    given = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
