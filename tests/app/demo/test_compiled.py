"""Kernels are compiled before anything waits for them, and only if they are not yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KERNEL = """
from assay.codecs.kernel import kernel

@kernel
def fold(values):
    return values[0]
"""
PROGRAM = """
import numpy as np
from planted.kernels import fold
from assay.codecs.kernel import is_compiled
print(is_compiled(fold), fold(np.arange(4)), is_compiled(fold))
"""


def said(room: Path, **environment: str) -> list[str]:
    command = [sys.executable, "-B", "-c", PROGRAM]
    return subprocess.run(command, cwd=room, env=os.environ | environment, capture_output=True, text=True, check=True).stdout.split()


def test_a_kernel_is_cold_until_its_present_source_is_compiled_for_this_processor(tmp_path: Path) -> None:
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNEL)
    assert said(tmp_path) == ["False", "0", "True"]
    assert said(tmp_path) == ["True", "0", "True"]
    assert said(tmp_path, NUMBA_CPU_NAME="generic") == ["False", "0", "True"]
    (package / "kernels.py").write_text(KERNEL.replace("values[0]", "values[1]"))
    assert said(tmp_path) == ["False", "1", "True"]
    assert said(tmp_path, NUMBA_DISABLE_JIT="1") == ["True", "1", "True"]
