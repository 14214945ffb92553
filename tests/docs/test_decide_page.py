"""The page about waiting for a decision works as it stands there, on a run that `assay up` keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from assay_command import environment
from fenced_blocks import differs, run, steps
from source_tree import ROOT

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

PAGE = (ROOT / "docs" / "decide.md").read_text(encoding="utf-8")
GATE = "http://127.0.0.1:8080"


def test_every_call_of_the_page_is_answered_as_it_says(tmp_path: Path, kafka: Server, dsn: str) -> None:
    home, tools = tmp_path / "home", tmp_path / "bin"
    (home / "runs").mkdir(parents=True)
    tools.mkdir()
    for name, arguments in (("assay", "-m assay "), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    variables = environment({"ASSAY_BUS": kafka.address, "ASSAY_SQL": dsn, "PATH": path, "PYTHONPATH": str(ROOT)})
    log = tmp_path / "up.log"
    with log.open("wb") as written:
        up = subprocess.Popen(["assay", "up", "--run", "runs/live"], cwd=home, env=variables, stdout=written, stderr=written)
    try:
        until(lambda: "post a payment" in log.read_text() or up.poll() is not None, 120)
        gate = Run.load(home / "runs" / "live").gate_url
        todo = [step._replace(script=step.script.replace(GATE, gate)) for step in steps(PAGE)]
        printed = run(todo, tmp_path, variables)
    finally:
        up.send_signal(signal.SIGKILL)
        up.wait(60)
    assert GATE in PAGE
    for step, output in zip(todo, printed, strict=True):
        assert step.output is None or differs(step.output, output) is None, output
