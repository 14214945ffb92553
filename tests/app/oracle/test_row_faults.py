"""A refusal names all kinds of faults of a file at once, each with its first rows, so that nobody imports a file once per kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_worlds import ROWS, small_world

from assay.app.oracle.row_faults import SeveralFaults
from assay.contracts.errors import AssayError, Quarantine
from assay.contracts.reasons import Reason

#: rows 1 to 5 have an amount that is no number, 6 and 7 no id, 8 a time that never was, 9 one in the future, 10 and 11 one id
ODD = {
    "id": ["a", "b", "c", "d", "e", None, None, "h", "i", "j", "j", "k"],
    "at": [*["2018-04-01T00:00:31Z"] * 7, "2018-04-31T00:00:00Z", "2999-01-01T00:00:00Z", *["2018-04-01T00:00:31Z"] * 3],
    "amount": [*["abc"] * 5, *["1.00"] * 7],
    "who": ["7"] * 12,
    "shop": ["m"] * 12,
    "kind": ["card"] * 12,
    "channel": ["web"] * 12,
    "fraud": ["yes"] * 12,
    "why": [None] * 12,
}


def test_all_kinds_of_faults_are_named_with_their_first_three_rows_and_their_number(tmp_path: Path) -> None:
    with pytest.raises(SeveralFaults) as refused:
        small_world(tmp_path, ODD)
    lines = str(refused.value).splitlines()
    assert [(line.strip().removeprefix("also ").split(":")[0]) for line in lines] == [
        "INPUT_VALUE_MISSING", "INPUT_VALUE_INVALID", "INPUT_VALUE_INVALID", "TIME_IN_FUTURE", "INPUT_ID_DUPLICATE",
    ]  # fmt: skip
    assert "column 'amount', row 1" in str(refused.value)
    assert "and 4 more rows: row 2: 'abc', row 3: 'abc', …" in str(refused.value)
    assert all(part in str(refused.value) for part in ("row 6)", "row 8)", "row 9)", "row 10)"))
    assert refused.value.exit_code == Quarantine.kind_code


def test_it_speaks_as_the_first_of_them(tmp_path: Path) -> None:
    with pytest.raises(AssayError) as refused:
        small_world(tmp_path, ODD)
    assert (refused.value.reason, refused.value.where) == (Reason.INPUT_VALUE_MISSING, "column 'id', row 6")


def test_a_fault_of_the_whole_file_is_named_beside_those_of_rows(tmp_path: Path) -> None:
    with pytest.raises(SeveralFaults) as refused:
        small_world(tmp_path, {**ODD, "who": [[1]] * 12})
    assert "also INPUT_COLUMN_TYPE: of the other rows: the column holds lists" in str(refused.value)


def test_a_fault_that_only_the_missing_rows_bring_about_is_said_of_the_other_rows(tmp_path: Path) -> None:
    """The only fraud has an amount that is no number."""
    rows = {**ROWS, "amount": ["1", "abc", "2", "3"], "fraud": ["fine", "stolen", "fine", "fine"]}
    with pytest.raises(SeveralFaults, match="of the other rows: no row has the value 'stolen'"):
        small_world(tmp_path, rows, truth={"column": "fraud", "positive": ["stolen"], "delay": "7d"})


def test_one_kind_of_fault_is_said_in_one_line_as_ever(tmp_path: Path) -> None:
    with pytest.raises(Quarantine) as refused:
        small_world(tmp_path, {**ROWS, "kind": [None, "card", None, "card"]})
    assert not isinstance(refused.value, SeveralFaults)
    assert "\n" not in str(refused.value)
