"""The tutorial is a program: every command on it is executed, and every output on it is compared with the real one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from fenced_blocks import Step, differs, run, steps
from source_tree import ROOT
from wheel_install import install_wheel

from assay.app.substrate import Server

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
#: where columns end and colours begin depends on the terminal
TERMINAL = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}


def follow(folder: Path, todo: Sequence[Step], **variables: str) -> None:
    """Do what the page says with the wheel, in a folder away from the checkout."""
    commands = install_wheel(folder)
    (folder / "home").mkdir()
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY", "PYTHON"))}
    printed = run(list(todo), folder, {**known, **TERMINAL, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", **variables})
    wrong = [(step.script, differs(step.output, text), text) for step, text in zip(todo, printed, strict=True) if step.output is not None]
    assert [(script, line, text) for script, line, text in wrong if line is not None] == []


def test_mapping_import_policy_and_test_do_what_the_tutorial_says(tmp_path: Path) -> None:
    todo = [step for step in steps(PAGE) if not step.needs_servers]
    assert len([step for step in todo if step.output]) >= 4
    follow(tmp_path, todo)


@pytest.mark.long
def test_the_file_is_decided_on_kafka_and_postgres_as_the_tutorial_says(tmp_path: Path, kafka: Server, dsn: str) -> None:
    todo = steps(PAGE)
    assert len([step for step in todo if step.needs_servers and step.output]) >= 3
    follow(tmp_path, todo, ASSAY_BUS=kafka.address, ASSAY_SQL=dsn)


@pytest.mark.parametrize(
    ("shown", "printed", "missed"),
    [
        ("a\nb\n", "a\nb\n", None),
        ("a\n", "a  \n", None),
        ("a\nc\n", "a\nb\nc\n", "c"),
        ("a\n…\nc\n", "a\nb\nb\nc\n", None),
        ("a\n…\n", "a\nb\n", None),
        ("2 passed in …\n", "2 passed in 0.3s\n", None),
        ("3 passed in …\n", "2 passed in 0.3s\n", "3 passed in …"),
        ("a\n", "a\nb\n", "nothing more, but there is: b"),
        ("…\nb\na\n", "a\nb\n", "a"),
    ],
)
def test_a_shown_line_that_was_not_printed_is_named(shown: str, printed: str, missed: str | None) -> None:
    assert differs(shown, printed) == missed


def test_a_command_that_fails_ends_the_tutorial(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    planted = steps("```sh\ntrue\n```\n\n```sh\necho so far; false\n```\n\n```sh\ntouch never\n```\n")
    with pytest.raises(AssertionError, match="exit code 1 of\necho so far"):
        run(planted, tmp_path, os.environ)
    assert not (tmp_path / "home" / "never").exists()
