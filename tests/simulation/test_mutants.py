"""The seeded runs, or the tests that a mutant names, find what is broken on purpose. A failing seed names the command that fails again.

All mutants but a few are long: `make mutants`.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from mutants import PATCHES, TIMEOUT_S, DoesNotApplyError, broken_copy, caught_by, names, patched, run_tests, simulate
from source_tree import ROOT

SEEDS_MAX = 100
#: caught by the first seed
IN_TIER_0 = ("claims-not-counted",)
LONG = (pytest.mark.long, pytest.mark.timeout(TIMEOUT_S + 60))


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in IN_TIER_0 else LONG) for name in names()])
def test_a_mutant_is_caught(name: str, tmp_path: Path) -> None:
    tree, tests = broken_copy(name, tmp_path / "copy"), caught_by(name)
    found = run_tests(tree, tests) if tests else simulate(tree, "--until-failed", "--seeds", str(SEEDS_MAX))
    failed = re.search(r"^FAILED tests/" if tests else r"^seed \d+: .* FAILED$", found.stdout, re.MULTILINE)
    assert (found.returncode, bool(failed)) == (1, True), f"{name} was not caught: {found.stdout[-2_000:]}{found.stderr[-2_000:]}"


@pytest.mark.long
def test_a_seed_that_failed_names_the_command_that_fails_again_alike(tmp_path: Path) -> None:
    tree = broken_copy("commit-before-outputs", tmp_path / "copy")
    told, command = simulate(tree, "--until-failed").stdout.strip().rsplit("\n", 1)
    assert re.fullmatch(r"seed 0: .*, fingerprint \w+: FAILED(\n  .*)+", told)
    asked = re.fullmatch(r"  again: make simulate ARGS='(.*)'", command)
    assert asked, command
    again = simulate(tree, *shlex.split(asked[1]))
    assert (again.returncode, again.stdout.startswith(told)) == (1, True), again.stdout + again.stderr


@pytest.mark.parametrize("name", names())
def test_a_patch_says_what_it_breaks_and_fits_the_source(name: str) -> None:
    text = (PATCHES / f"{name}.patch").read_text(encoding="utf-8")
    assert re.match(r"[A-Z].*\.\n(by: tests/.*\n)?--- a/", text)
    assert caught_by(name) is None or (ROOT / str(caught_by(name))).is_file()
    assert patched(text)


@pytest.mark.parametrize(("source", "times"), [("a = 2\nb = 2\n", 0), ("a = 1\nb = 2\na = 1\nb = 2\n", 2)])
def test_a_patch_that_no_longer_fits_is_refused(source: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(source)
    with pytest.raises(DoesNotApplyError, match=rf"x\.py has these lines {times} times"):
        patched("It breaks.\n--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n-a = 1\n+a = 3\n b = 2\n", tmp_path)
