"""The walk through the gate works as it stands there, and so do the commands of its reference, on a run that `assay up` keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from assay_command import environment
from fenced_blocks import Step, differs, run, steps
from source_tree import ROOT

from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.testing import until

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(600)]

PAGE = "\n".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("http.md", "gate.md"))
GATE = "http://127.0.0.1:8080"


def tools(folder: Path) -> str:
    """A PATH on which `assay` and `python` are those of this test."""
    folder.mkdir()
    for name, arguments in (("assay", "-m assay "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_every_call_of_the_page_is_answered_as_it_says(tmp_path: Path, kafka: Server, dsn: str) -> None:
    home = tmp_path / "home"
    (home / "runs").mkdir(parents=True)
    variables = environment({"ASSAY_BUS": kafka.address, "ASSAY_SQL": dsn, "PATH": tools(tmp_path / "bin"), "PYTHONPATH": str(ROOT)})
    log = tmp_path / "up.log"
    with log.open("wb") as written:
        up = subprocess.Popen(["assay", "up", "--run", "runs/live"], cwd=home, env=variables, stdout=written, stderr=written)
    try:
        until(lambda: "post a payment" in log.read_text() or up.poll() is not None, 120)
        gate = Run.load(home / "runs" / "live").gate_url
        todo = [Step(step.script.replace(GATE, gate), step.output, step.needs_servers) for step in steps(PAGE)]
        waiting = 'until curl -sf "$GATE/v1/decisions/pay-1" -H "X-IG-Api-Key: $KEY" > decided; do :; done\n'
        todo = [step._replace(script=step.script.replace("sleep 5\n", waiting)) for step in todo]
        printed = run(todo, tmp_path, variables)
    finally:
        up.send_signal(signal.SIGKILL)
        up.wait(60)
    assert GATE in PAGE
    for step, output in zip(todo, printed, strict=True):
        assert step.output is None or differs(step.output, output) is None, output
    assert f"{gate}/v1/payments" in log.read_text()
    assert f"{gate}/v1/labels" in log.read_text()
