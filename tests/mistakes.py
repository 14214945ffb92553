"""Calls that users get wrong, and what has to come of them: one line that names thing, place and remedy, and a documented exit code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from assay_command import Ended

from assay.app.cli import main

#: nothing listens here: a port below 1024 that no test opens
NOWHERE = {"ASSAY_BUS": "127.0.0.1:9", "ASSAY_SQL": "postgresql://nobody@127.0.0.1:9/none"}
MAPPING = """\
mapping: small
revision: "1"
output_id: payments
id: id
time: {column: at}
amount: {column: amount, minor_unit_exponent: 2}
currency: {constant: EUR}
entities: {customer: who, terminal: shop}
kind: {column: kind}
"""
Arguments = list[str | Path]


class Mistake(NamedTuple):
    """A command and what has to come of it. `make` prepares a folder and gives the arguments."""

    make: Callable[[Path], Arguments]
    code: int
    reason: str
    says: str


def mapping_in(folder: Path, text: str = MAPPING) -> Path:
    """A mapping of the small file."""
    (folder / "mapping.yaml").write_text(text)
    return folder / "mapping.yaml"


def ended_of(arguments: Arguments, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ended:
    """What a command called in a folder says; a demo has servers that are not there."""
    monkeypatch.chdir(folder)
    for name, value in (NOWHERE if arguments[0] == "demo" else {}).items():
        monkeypatch.setenv(name, value)
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert isinstance(end.value.code, int)
    return Ended(end.value.code, *capfd.readouterr())


def assert_clear(ended: Ended, mistake: Mistake) -> None:
    """No traceback; the last thing on standard error is the refusal, and it names the reason and the thing."""
    assert "Traceback" not in ended.text, ended.text
    assert ended.code == mistake.code, ended.text
    line = ended.err.strip()
    assert re.match(rf"assay ?\w*: .*{mistake.reason}", line.splitlines()[0]), line
    assert mistake.says in line, line
