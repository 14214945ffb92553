"""Tests of tools run where the tool is; where it is not, the summary says which tool and how many tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tools_tier
from source_tree import ROOT

TESTS = """
import pytest

@pytest.mark.tools("tool-that-is-here")
def test_one(): pass

@pytest.mark.tools("tool-that-is-here")
@pytest.mark.parametrize("n", [1, 2])
def test_two(n): pass

@pytest.mark.tools("tool-that-is-here", "tool-that-is-not")
def test_both(): raise AssertionError("one of its tools is not here")

@pytest.mark.tools("tool-that-is-not")
def test_none(): raise AssertionError("its tool is not here")

def test_no_tool(): pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_needs_a_tool_that_is_not_here_is_printed_as_not_run(workers: str, tmp_path: Path) -> None:
    """In one process and in several."""
    (tmp_path / "test_planted.py").write_text(TESTS, encoding="utf-8")
    tool = tmp_path / "bin/tool-that-is-here"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n", encoding="utf-8")
    tool.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pytest", "-p", "tools_tier", "-p", "no:cacheprovider", "--strict-markers", "-n", workers, "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tool-that-is-here 3 ran; tool-that-is-not not here: 2 not run" in done.stdout
    assert re.search(r"4 passed, 2 skipped", done.stdout)


@pytest.mark.parametrize(
    ("ran", "not_run", "said"),
    [
        ({}, {}, "none among the tests asked for"),
        ({"promtool": 3}, {}, "promtool 3 ran"),
        ({}, {"faketime": 2}, "faketime not here: 2 not run"),
        ({"promtool": 3, "go": 1}, {"faketime": 2}, "go 1 ran; promtool 3 ran; faketime not here: 2 not run"),
    ],
)
def test_the_line_of_the_tier_names_every_tool(ran: dict[str, int], not_run: dict[str, int], said: str) -> None:
    assert tools_tier.line(ran, not_run).partition(": ")[2] == said
