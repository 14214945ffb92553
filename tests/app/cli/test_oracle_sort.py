"""`assay oracle sort` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from planted_worlds import made

from assay.app.cli import main
from assay.app.stores.objects import DirectoryStore

EVENTS = "s3_event_stream_with_fraud_6B"


def call(*arguments: str | Path) -> int:
    """The exit code of a call."""
    with pytest.raises(SystemExit) as ended:
        main(["oracle", "sort", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_outputs_are_sorted_once_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(DirectoryStore(tmp_path), lambda frames: {EVENTS: frames[EVENTS].with_columns(fraud_flag=pl.lit(1))})
    assert call(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"  {EVENTS}          12 rows by ts_utc, ") and lines[0].endswith("/s")
    assert lines[1] == "    without fraud_flag" and max(map(len, lines)) <= 80
    assert call(tmp_path, "--output", EVENTS) == 0
    assert "as it was" in capsys.readouterr().out
    assert call(tmp_path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(view["output_id"], view["kept"], view["raw_stats"]["row_count"]) for view in told["views"]] == [(EVENTS, True, 12)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["_SEALED.json", "_oracle_pack_manifest.json", "data", "interface", "run_receipt.json", "stream_view"]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--output", "s9_nothing"), 66, "OUTPUT_UNKNOWN"),
        (("--memory-mib", "100"), 2, "memory-mib"),
        ((), 70, "DIGEST_MISMATCH"),
    ],
)
def test_what_cannot_be_sorted_is_said_with_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    made(DirectoryStore(tmp_path), lambda frames: {EVENTS: frames[EVENTS]})
    part = next((tmp_path / "data").rglob("part-000001.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert call(tmp_path, *arguments) == code
    assert said in capsys.readouterr().err


def test_a_folder_without_a_world_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path) == 66
    assert "PACK_NOT_FOUND" in capsys.readouterr().err
