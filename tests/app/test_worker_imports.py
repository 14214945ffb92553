"""A module that cannot be imported keeps the worker from starting: no lane and no step is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: what stands in `sys.modules` as None cannot be imported, as when a package it needs is missing
START = (
    "import sys; sys.modules[{module!r}] = None; sys.argv = ['assay', 'worker', '--run', {run!r}]; from assay.__main__ import main; main()"
)


@pytest.mark.parametrize("module", [f"assay.agents.{name}" for name in ("act", "audit", "posture", "scoring", "decide", "projections")])
def test_a_worker_whose_component_cannot_be_imported_does_not_start(module: str, tmp_path: Path) -> None:
    program = START.format(module=module, run=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert f"import of {module} halted" in ended.stderr
