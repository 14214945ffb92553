"""Commands that are printed run as they are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.app.run.own_command import own_command


def test_a_program_on_the_path_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "assay"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command(str(program)) == "assay"
    assert own_command(str(tmp_path / "other" / "assay")) == str(tmp_path / "other" / "assay")


def test_a_program_that_is_not_is_called_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    assert own_command(str(tmp_path / ".venv" / "bin" / "assay")) == ".venv/bin/assay"
    assert own_command("/opt/with blank/assay") == "'/opt/with blank/assay'"


def test_a_module_is_called_with_its_interpreter() -> None:
    assert own_command("/somewhere/assay/__main__.py", "/opt/python3") == "/opt/python3 -m assay"
