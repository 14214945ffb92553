"""What a command loads before it knows what it is asked: no kernel is called, and no client of another system is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from assay.app.cli import COMMANDS

#: a first call of any kernel loads the linear algebra of SciPy
KERNEL_CALLED = "scipy.linalg"
LOADED = f"""
import importlib, json, sys
importlib.import_module({{module!r}})
print(json.dumps([name for name in ({KERNEL_CALLED!r}, "boto3", "duckdb", "faust") if name in sys.modules]))
"""


@pytest.mark.parametrize("command", ["demo", "worker", "gate", "sr", "stream", "replay", "oracle"])
def test_a_command_calls_no_kernel_and_loads_no_client_before_it_begins(command: str) -> None:
    program = LOADED.format(module=COMMANDS[command][0])
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(ended.stdout) == []
