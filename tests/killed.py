"""Commands that are killed while they write, at points that a seed chooses, and what their folders hold in the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from assay_command import assay, environment

from assay.testing import until

DEADLINE_S = 240
#: fields of documents that tell when something was written
_TIMES = ("created_utc", "created_at_utc", "sealed_at_utc", "started_utc", "ended_utc")


def bytes_below(folder: Path) -> int:
    """The size of all files of a folder, drafts included; a file may go away meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def killed(arguments: list[str | Path], folder: Path, size: int, **variables: str) -> bool:
    """Run `assay` and SIGKILL it once the files of a folder have so many bytes; False if it was done before."""
    command = [sys.executable, "-m", "assay", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(variables))
    try:
        until(lambda: bytes_below(folder) >= size or process.poll() is not None, DEADLINE_S)
    finally:
        process.kill()
        _, said = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0), said.decode()[-2_000:]
    return process.returncode != 0


def killed_again_and_again(arguments: list[str | Path], folder: Path, whole: int, times: int, seed: int) -> int:
    """Kill a command so many times, each time further on, and let it end; gives how often it was killed.

    whole: bytes of the folder in the end.
    """
    begun = bytes_below(folder)
    points = sorted(Random(seed).uniform(0.02, 0.95) for _ in range(times))
    found = sum(killed(arguments, folder, begun + int(point * (whole - begun))) for point in points)
    ended = assay(*arguments, timeout_s=DEADLINE_S)
    assert ended.code == 0, ended.text
    return found


def told(folder: Path) -> dict[str, bytes]:
    """Every file by its place; documents with times without these, everything else byte for byte. Drafts are hidden files."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}
    return {name: _without_times(data) if b"_utc" in data and name.endswith(".json") else data for name, data in found.items()}


def _without_times(data: bytes) -> bytes:
    return json.dumps({name: value for name, value in json.loads(data).items() if name not in _TIMES}).encode()
