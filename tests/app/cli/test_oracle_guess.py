"""`assay oracle guess` as a person calls it: a mapping on stdout, what the file does not tell on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from source_tree import ROOT

from assay.app.cli import main

PAYMENTS = str(ROOT / "assay" / "app" / "oracle" / "samples" / "shop.csv")


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["oracle", *arguments])
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_the_file_of_the_tutorial_is_guessed_answered_and_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = str(tmp_path / "shop.yaml")
    assert _call("guess", PAYMENTS) == 0
    printed, told = capsys.readouterr()
    assert yaml.safe_load(printed)["entities"] == {"card": "card", "shop": "shop"}
    assert "time.zone: an IANA name" in told
    assert "truth.delay: how long" in told
    assert _call("guess", PAYMENTS, "--set", "time.zone=Europe/Berlin", "--set", "truth.delay=7d", "--out", mine) == 0
    assert capsys.readouterr().out == ""
    assert _call("import", PAYMENTS, "--mapping", mine, "--out", str(tmp_path / "world")) == 0
    assert "70, 6 of them fraud, 6 told later" in capsys.readouterr().out


def test_a_mapping_with_open_questions_is_refused_with_their_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = str(tmp_path / "shop.yaml")
    assert _call("guess", PAYMENTS, "--out", mine) == 0
    assert _call("import", PAYMENTS, "--mapping", mine, "--out", str(tmp_path / "world")) == 65
    assert "MAPPING_INVALID: time.zone, truth.delay: TODO" in capsys.readouterr().err


def test_json_has_lines_reasons_and_open_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert _call("guess", PAYMENTS, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["open"] == ["time.zone", "truth.delay"]
    assert facts["read"] == "all 70 rows"
    assert {"place": "currency.constant", "value": "EUR", "why": "the name or the symbol of the amount says so", "ask": None} in facts[
        "lines"
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("guess",), 2, "file"),
        (("guess", "absent.csv"), 66, "INPUT_FILE_MISSING"),
        (("guess", PAYMENTS, "--set", "zone=UTC"), 2, "time.zone, truth.delay"),
        (("guess", PAYMENTS, "--set", "time.zone=Mars", "--set", "truth.delay=7d"), 65, "'Mars' is not an IANA time zone"),
        (("guess", PAYMENTS, "--out", PAYMENTS), 70, "OUTPUT_FILE_TAKEN"),
    ],
)
def test_what_cannot_be_guessed_is_said_with_its_exit_code(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert _call(*arguments) == code
    assert said in capsys.readouterr().err
