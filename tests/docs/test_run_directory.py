"""The table of a run's directory is read as people read it; tests/kafka compares it with the directories of real runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_layout import layout_faults

PAGE = """## A run and its directory

| path | holds |
|---|---|
| `run.json` | the run |
| `logs/`, `.lock` | two, if there are any |
| `*.csv` | a file, if given |

## More

| `other/` | not of a run |
"""


@pytest.mark.parametrize(
    ("names", "faults"),
    [
        (["run.json"], []),
        (["run.json", "logs/", ".lock", "paysim.csv"], []),
        (["run.json", "logs"], ["logs is not in the table"]),
        (["run.json", "other/"], ["other/ is not in the table"]),
        (["logs/"], ["run.json is not there"]),
    ],
)
def test_what_is_not_in_the_table_and_what_is_missing_is_told(tmp_path: Path, names: list[str], faults: list[str]) -> None:
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).touch()
    assert layout_faults(tmp_path, PAGE) == faults
