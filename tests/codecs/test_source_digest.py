"""Machine code on disk belongs to the sources it was compiled from, those of imported modules included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KERNEL = """
from planted.parts import twice
from assay.codecs.kernel import kernel

@kernel
def fold(values):
    total = 0
    for i in range(len(values)):
        total += twice(values[i])
    return total
"""
PARTS = """
from planted.constants import FACTOR
from assay.codecs.kernel import part

@part
def twice(value):
    return FACTOR * value
"""
PROGRAM = """
import numpy as np
from planted.kernels import fold
print(fold(np.arange(4)), sum(fold.stats.cache_hits.values()))
"""


def test_a_constant_of_an_imported_module_that_changes_makes_a_new_kernel(tmp_path: Path) -> None:
    package = planted(tmp_path)
    assert outcome(tmp_path) == ["12", "0"]
    assert outcome(tmp_path) == ["12", "1"], "unchanged sources are read from the disk"
    (package / "constants.py").write_text("FACTOR = 3\n")
    assert outcome(tmp_path) == ["18", "0"]


def test_machine_code_for_any_processor_lies_in_files_of_its_own(tmp_path: Path) -> None:
    package = planted(tmp_path)
    assert outcome(tmp_path) == ["12", "0"]
    here = {file.name for file in package.glob("__pycache__/*.nb?")}
    assert outcome(tmp_path, NUMBA_CPU_NAME="generic") == ["12", "0"]
    everywhere = {file.name for file in package.glob("__pycache__/*.nb?")} - here
    assert [".generic." in name for name in sorted(everywhere)] == [True, True], "an index and a kernel"
    for name in here:
        (package / "__pycache__" / name).unlink()
    assert outcome(tmp_path, NUMBA_CPU_NAME="generic") == ["12", "1"]


def planted(room: Path) -> Path:
    """A package with a kernel, a part that it calls, and a constant."""
    package = room / "planted"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNEL)
    (package / "parts.py").write_text(PARTS)
    (package / "constants.py").write_text("FACTOR = 2\n")
    return package


def outcome(room: Path, **environment: str) -> list[str]:
    """[what the planted kernel gives, how often it came from the disk] in a fresh process."""
    command = [sys.executable, "-B", "-c", PROGRAM]
    ended = subprocess.run(command, cwd=room, env=os.environ | environment, capture_output=True, text=True, check=True)
    return ended.stdout.split()
