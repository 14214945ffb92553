"""The same world in fresh processes: another hash seed and kernels for a plain CPU give the same digest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulated_worlds import decision_digest, run, small_world

PROGRAM = "from simulated_worlds import *; print(decision_digest(run(small_world(payments=25), partitions=3).log))"


@pytest.mark.parametrize("changes", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "NUMBA_CPU_NAME": "generic"}], ids=str)
def test_another_process_gives_the_same_digest(changes: dict[str, str]) -> None:
    here = decision_digest(run(small_world(payments=25)).log)
    environment = {**os.environ, **changes, "PYTHONPATH": str(Path(__file__).parents[1])}
    there = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert there.stdout.strip() == here, there.stderr
