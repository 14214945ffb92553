"""Mutants: the product broken on purpose in a copy of its source tree, by patches whose first line says what is wrong.

A second line `by: tests/…` names the tests that must fail; without it the seeded runs must find the defect.

The copy has numba's disk cache with it: a kernel is known there by the digest of its sources, so only what a patch changes is
compiled again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from source_tree import ROOT

PATCHES = ROOT / "tests/simulation/mutants"
#: what a copy needs to run seeds
FOLDERS = ("assay", "tests")
#: a hundred seeds, one after another, on a machine that is busy with other things
TIMEOUT_S = 1_100


class DoesNotApplyError(Exception):
    """The source has moved on under a patch."""


class Hunk(NamedTuple):
    """Lines of one file, and what stands there instead."""

    file: str
    old: str
    new: str


def names() -> list[str]:
    """All mutants."""
    return sorted(path.stem for path in PATCHES.glob("*.patch"))


def hunks(patch: str) -> Iterator[Hunk]:
    """The hunks of a unified diff; where in the file they stand is found by their lines."""
    file, old, new = "", "", ""
    for line in [*patch.splitlines(keepends=True), "@@"]:
        if line.startswith(("@@", "--- ")) and old:
            yield Hunk(file, old, new)
            old = new = ""
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/").rstrip()
        elif file and line[0] in " -+" and not line.startswith("--- "):
            old += line[1:] if line[0] in " -" else ""
            new += line[1:] if line[0] in " +" else ""


def patched(patch: str, root: Path = ROOT) -> dict[str, str]:
    """Texts of the files a patch changes. Raises DoesNotApplyError where its lines do not stand exactly once."""
    texts: dict[str, str] = {}
    for file, old, new in hunks(patch):
        text = texts.get(file) or (root / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise DoesNotApplyError(f"{file} has these lines {text.count(old)} times, write the patch again:\n{old}")
        texts[file] = text.replace(old, new)
    if not texts:
        raise DoesNotApplyError("the patch changes nothing")
    return texts


def broken_copy(name: str, folder: Path) -> Path:
    """A copy of the source tree with one mutant in it."""
    for part in FOLDERS:
        shutil.copytree(ROOT / part, folder / part)
    for file, text in patched((PATCHES / f"{name}.patch").read_text(encoding="utf-8")).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def simulate(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tests/simulate.py` of a tree on the tree's own code."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, str(tree / "tests/simulate.py"), *arguments]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def caught_by(name: str) -> str | None:
    """The test file that must find the defect, None where the seeded runs do."""
    second = (PATCHES / f"{name}.patch").read_text(encoding="utf-8").splitlines()[1]
    return second.removeprefix("by: ") if second.startswith("by: ") else None


def run_tests(tree: Path, file: str) -> subprocess.CompletedProcess[str]:
    """Run one test file of a tree on the tree's own code, up to the first failure."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "pytest", file, "-q", "-x", "-m", "tier0", "-p", "no:xdist"]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
