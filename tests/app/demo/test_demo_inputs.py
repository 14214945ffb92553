"""Wrong inputs of a demo are refused in words before any server starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_worlds import ROWS, write

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


def a_sample_that_is_mistyped(folder: Path) -> Arguments:
    return ["--sample", "paysin"]


def a_sample_with_another_mapping(folder: Path) -> Arguments:
    return ["--sample", "paysim", "--mapping", "banksim"]


def a_mapping_that_nothing_generates_for(folder: Path) -> Arguments:
    (folder / "mapping.yaml").write_text(MAPPING)
    return ["--mapping", folder / "mapping.yaml", "--policy", "handbook"]


def a_payment_without_an_entity(folder: Path) -> Arguments:
    (folder / "mapping.yaml").write_text(MAPPING)
    file = write(folder / "in.parquet", {**ROWS, "who": [None, "7", "8", "9"]})
    return ["--input", file, "--mapping", folder / "mapping.yaml", "--policy", "handbook"]


def a_payment_without_an_entity_that_somebody_knows_of(folder: Path) -> Arguments:
    return [*a_payment_without_an_entity(folder), "--let-gate-refuse"]


def rows_at_fault(folder: Path) -> Arguments:
    (folder / "mapping.yaml").write_text(MAPPING)
    file = write(folder / "in.parquet", {**ROWS, "amount": ["1", "abc", "2", "-3"]})
    return ["--input", file, "--mapping", folder / "mapping.yaml", "--policy", "handbook"]


def rows_at_fault_that_are_set_aside(folder: Path) -> Arguments:
    return [*rows_at_fault(folder), "--quarantine-rows", folder / "bad.jsonl"]


def a_file_for_rows_that_is_no_json_lines(folder: Path) -> Arguments:
    return [*rows_at_fault(folder), "--quarantine-rows", folder / "bad.csv"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (a_sample_that_is_mistyped, "GENERATOR_REQUEST_INVALID: there is no sample 'paysin'. Did you mean 'paysim'?"),
        (a_sample_with_another_mapping, "leave --input and --mapping out"),
        (a_mapping_that_nothing_generates_for, "Give the file with --input"),
        (a_payment_without_an_entity, "ENTITY_MISSING: 1 of 4 payments name no customer and no terminal: the gate refuses them"),
        (a_payment_without_an_entity_that_somebody_knows_of, "SERVER_SILENT"),
        (rows_at_fault, "also AMOUNT_OUT_OF_RANGE"),
        (rows_at_fault_that_are_set_aside, "SERVER_SILENT"),
        (a_file_for_rows_that_is_no_json_lines, "ASIDE_FILE_REFUSED"),
    ],
)
def test_a_wrong_input_is_refused_before_a_server_starts(
    make: Callable[[Path], Arguments],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = make(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(["demo", *map(str, arguments)])
    assert ended.value.code != 0
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    if "--input" not in arguments:
        assert not (tmp_path / "runs").exists()


def test_rows_set_aside_by_a_demo_are_counted_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = rows_at_fault_that_are_set_aside(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["demo", *map(str, arguments)])
    assert "2 rows set aside at import (AMOUNT_OUT_OF_RANGE 1, INPUT_VALUE_INVALID 1)" in capsys.readouterr().out
    assert len((tmp_path / "bad.jsonl").read_text().splitlines()) == 2
