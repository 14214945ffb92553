"""Completion: which words it offers, and the scripts in the shells that are here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from assay_command import environment

from assay.app.cli import COMMANDS, main
from assay.app.cli.completion import SCRIPTS, words


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        ([], list(COMMANDS)),
        ([""], list(COMMANDS)),
        (["de"], ["demo", "decision"]),
        (["zz"], []),
        (["quarantine", ""], ["list", "show"]),
        (["quarantine", "s"], ["show"]),
        (["quarantine", "list", "--li"], ["--limit"]),
        (["quarantine", "list", "--limit", "3", "--js"], ["--json"]),
        (["quarantine", "show", "pay"], []),
        (["report", "--o"], ["--output"]),
        (["report", "--run", ""], []),
        (["zz", ""], []),
        (["bench", ""], []),
        (["demo", "--h"], ["--help"]),
    ],
)
def test_the_words_that_may_follow(given: list[str], offered: list[str]) -> None:
    assert words(given) == offered


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["completion", shell])
    assert (end.value.code, capsys.readouterr().out) == (0, SCRIPTS[shell])


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["completion", "tcsh"])
    assert end.value.code == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


@pytest.mark.tools("bash")
def test_bash_completes_by_the_script(tmp_path: Path) -> None:
    program = tmp_path / "assay"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m assay "$@"\n')
    program.chmod(0o755)
    ask = f'{SCRIPTS["bash"]}\nCOMP_WORDS=({program} quarantine list --l); COMP_CWORD=3; _assay_words; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, env=environment({}), timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("--limit\n", "")
