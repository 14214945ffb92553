"""Machine code on disk belongs to the sources it was compiled from, those of imported modules included."""

from __future__ import annotations

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
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernels.py").write_text(KERNEL)
    (package / "parts.py").write_text(PARTS)
    (package / "constants.py").write_text("FACTOR = 2\n")
    assert outcome(tmp_path) == ["12", "0"]
    assert outcome(tmp_path) == ["12", "1"], "unchanged sources are read from the disk"
    (package / "constants.py").write_text("FACTOR = 3\n")
    assert outcome(tmp_path) == ["18", "0"]


def outcome(room: Path) -> list[str]:
    """[what the planted kernel gives, how often it came from the disk] in a fresh process."""
    ended = subprocess.run([sys.executable, "-B", "-c", PROGRAM], cwd=room, capture_output=True, text=True, check=True)
    return ended.stdout.split()
