"""A page of documentation over a run that `assay up` keeps, walked as its reader would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay_command import environment
from source_tree import ROOT

from assay.app.run.directory import Run
from assay.testing import until


def tools(folder: Path) -> str:
    """A PATH on which `assay` and `python` are those of this test."""
    folder.mkdir()
    for name, arguments in (("assay", "-m assay "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def live(folder: Path, kafka: str, dsn: str, *options: str, **more: str) -> Iterator[tuple[dict[str, str], str]]:
    """The environment of a reader in `folder/home`, and the address of the gate of `runs/live`; the log of `assay up` is `up.log`.

    `options` are further ones of `assay up`, `more` further variables.
    """
    home = folder / "home"
    (home / "runs").mkdir(parents=True)
    variables = environment({"ASSAY_BUS": kafka, "ASSAY_SQL": dsn, "PATH": tools(folder / "bin"), "PYTHONPATH": str(ROOT), **more})
    log = folder / "up.log"
    with log.open("wb") as written:
        up = subprocess.Popen(["assay", "up", "--run", "runs/live", *options], cwd=home, env=variables, stdout=written, stderr=written)
    try:
        until(lambda: "post a payment" in log.read_text() or up.poll() is not None, 120)
        yield variables, Run.load(home / "runs" / "live").gate_url
    finally:
        up.send_signal(signal.SIGKILL)
        up.wait(60)
