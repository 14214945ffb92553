"""`assay oracle`, `assay sr` and `assay stream` as a person calls them: what they print, and their exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_worlds import ROWS, write

from assay.app.cli import main


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_generate_import_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = str(tmp_path / "in.csv"), str(tmp_path / "store")
    assert _call("oracle", "generate", "--shape", "transfers", "--rows", "50", "--out", file) == 0
    assert "wrote 50 rows" in capsys.readouterr().out
    assert _call("oracle", "import", file, "--mapping", "transfers", "--out", store) == 0
    printed = capsys.readouterr().out
    fingerprint = printed.split("manifest_fingerprint")[1].split()[0]
    assert "rows                  50" in printed
    assert "rows/s" in printed
    assert _call("oracle", "check", fingerprint, "--store", store) == 0
    part = next((tmp_path / "store").rglob("part-000000.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    assert _call("oracle", "check", fingerprint, "--store", store) == 70
    assert "DIGEST_MISMATCH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("oracle",), 2, ""),
        (("oracle", "import"), 2, "file"),
        (("oracle", "import", "absent.csv", "--mapping", "handbook", "--out", "store"), 66, "INPUT_FILE_MISSING"),
        (("oracle", "import", "in.csv", "--mapping", "nowhere", "--out", "store"), 66, "handbook, ieee_cis, paysim"),
        (("oracle", "import", "in.csv", "--mapping", "handbook", "--out", "store"), 65, "'TRANSACTION_ID', the file has id"),
        (("oracle", "check", "0" * 64, "--store", "store"), 66, "PACK_NOT_FOUND"),
        (("oracle", "generate", "--rows", "many", "--out", "a.csv"), 2, "rows"),
        (("sr", "submit", "--run", "nowhere"), 66, "RUN_MISSING"),
        (("sr", "show", "--run", "nowhere"), 66, "RUN_MISSING"),
        (("run", "--run", "nowhere"), 2, "assay sr submit"),
        (("db", "migrate"), 2, "--authority"),
        (("stream", "--run", "nowhere"), 66, "RUN_MISSING"),
        (("stream", "--run", "nowhere", "--batch", "0"), 2, "batch"),
        (("labels", "deliver", "--run", "nowhere"), 66, "RUN_MISSING"),
        (("labels", "deliver", "--run", "nowhere", "--batch", "0"), 2, "batch"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.csv", ROWS)
    assert _call(*arguments) == code
    assert said in capsys.readouterr().err
