"""A server that leaves root still finds its own files below a directory that is closed to others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOK = """
import os, sys
from assay.app.substrate.supervisor import become
become(65534, 65534)
print(os.geteuid(), os.access(sys.argv[1], os.R_OK))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can become somebody else")
def test_access_below_a_closed_directory_is_kept_when_root_is_left(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    inside = closed / "initdb"
    inside.write_text("")
    found = subprocess.run([sys.executable, "-c", LOOK, str(inside)], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["65534", "True"]
