"""Wrong inputs of a demo are refused in words before any server starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from mistakes import Arguments, Mistake, assert_clear, ended_of, mapping_in
from small_worlds import ROWS, write


def a_sample_that_is_mistyped(folder: Path) -> Arguments:
    return ["demo", "--sample", "paysin"]


def a_sample_with_another_mapping(folder: Path) -> Arguments:
    return ["demo", "--sample", "paysim", "--mapping", "banksim"]


def a_mapping_that_nothing_generates_for(folder: Path) -> Arguments:
    return ["demo", "--mapping", mapping_in(folder), "--policy", "handbook"]


def a_payment_without_an_entity(folder: Path) -> Arguments:
    file = write(folder / "in.parquet", {**ROWS, "who": [None, "7", "8", "9"]})
    return ["demo", "--input", file, "--mapping", mapping_in(folder), "--policy", "handbook"]


def a_payment_without_an_entity_that_somebody_knows_of(folder: Path) -> Arguments:
    return [*a_payment_without_an_entity(folder), "--let-gate-refuse"]


def rows_at_fault(folder: Path) -> Arguments:
    file = write(folder / "in.parquet", {**ROWS, "amount": ["1", "abc", "2", "-3"]})
    return ["demo", "--input", file, "--mapping", mapping_in(folder), "--policy", "handbook"]


def rows_at_fault_that_are_set_aside(folder: Path) -> Arguments:
    return [*rows_at_fault(folder), "--quarantine-rows", folder / "bad.jsonl"]


def a_file_for_rows_that_is_no_json_lines(folder: Path) -> Arguments:
    return [*rows_at_fault(folder), "--quarantine-rows", folder / "bad.csv"]


def payments_of_no_bank(folder: Path) -> Arguments:
    return ["demo", "--sample", "paysim", "--payments"]


UNNAMED = "1 of 4 payments name no customer and no terminal: the gate refuses them"
WRONG = [
    Mistake(a_sample_that_is_mistyped, 2, "GENERATOR_REQUEST_INVALID", "there is no sample 'paysin'. Did you mean 'paysim'?"),
    Mistake(a_sample_with_another_mapping, 2, "", "leave --input and --mapping out"),
    Mistake(a_mapping_that_nothing_generates_for, 2, "", "Give the file with --input"),
    Mistake(a_payment_without_an_entity, 70, "ENTITY_MISSING", UNNAMED),
    Mistake(a_payment_without_an_entity_that_somebody_knows_of, 75, "SERVER_SILENT", ""),
    Mistake(rows_at_fault, 65, "INPUT_VALUE_INVALID", "also AMOUNT_OUT_OF_RANGE"),
    Mistake(rows_at_fault_that_are_set_aside, 75, "SERVER_SILENT", ""),
    Mistake(a_file_for_rows_that_is_no_json_lines, 70, "ASIDE_FILE_REFUSED", ""),
    Mistake(payments_of_no_bank, 2, "", "--payments goes with --world"),
]


@pytest.mark.parametrize("mistake", WRONG, ids=lambda mistake: mistake.make.__name__)
def test_a_wrong_input_is_refused_before_a_server_starts(
    mistake: Mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = mistake.make(tmp_path)
    assert_clear(ended_of(arguments, tmp_path, monkeypatch, capfd), mistake)
    if "--input" not in arguments:
        assert not (tmp_path / "runs").exists()


def test_rows_set_aside_by_a_demo_are_counted_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = ended_of(rows_at_fault_that_are_set_aside(tmp_path), tmp_path, monkeypatch, capfd)
    assert "2 rows set aside at import (AMOUNT_OUT_OF_RANGE 1, INPUT_VALUE_INVALID 1)" in ended.out
    assert len((tmp_path / "bad.jsonl").read_text().splitlines()) == 2
