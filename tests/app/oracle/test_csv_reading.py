"""What Python writes as CSV is read back to the letter, and a reader that found other rows than were counted is not believed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from effort import drawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.app.oracle.csv_reading import CsvFile
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.table_files import JsonLines
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

FIELD = st.text(st.sampled_from("ab,;\"'\n\\ é#\t"), max_size=5)
TABLES = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(FIELD, min_size=width, max_size=width), min_size=1, max_size=5))
FORMS = [
    CsvForm(multiline=True, escape='"'),
    CsvForm(multiline=True, escape="'", quote="'", separator=";"),
    CsvForm(multiline=True, escape="\\"),
]


@settings(deadline=None, max_examples=drawn(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=TABLES, form=st.sampled_from(FORMS), all_quoted=st.booleans(), ending=st.sampled_from(["\n", "\r\n"]))
def test_what_python_writes_is_read_back(tmp_path: Path, table: list[list[str]], form: CsvForm, ending: str, *, all_quoted: bool) -> None:
    escapes = form.escape != form.quote_mark
    header = [f"column {number}" for number in range(len(table[0]))]
    held = io.StringIO(newline="")
    csv.writer(
        held,
        quoting=csv.QUOTE_ALL if escapes or all_quoted else csv.QUOTE_MINIMAL,
        lineterminator=ending,
        delimiter=form.separator or ",",
        quotechar=form.quote_mark,
        doublequote=not escapes,
        escapechar="\\" if escapes else None,
    ).writerows([header, *table])
    (tmp_path / "in.csv").write_text(held.getvalue(), encoding="utf-8", newline="")
    file = CsvFile(tmp_path / "in.csv", form)
    assert file.rows == len(table)
    found = file.frame(header).fill_null("").rows()
    assert found == [tuple(row) for row in table]


def test_a_reader_that_finds_other_rows_than_were_counted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    file = CsvFile(tmp_path / "in.csv", CsvForm())
    file.rows += 1
    with pytest.raises(Quarantine, match="the file has 3 rows, its reader finds 2") as refusal:
        file.frame(["a"])
    assert refusal.value.reason is Reason.INPUT_FILE_UNREADABLE
    (tmp_path / "in.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    lines = JsonLines(tmp_path / "in.jsonl", CsvForm())
    lines.lines += 1
    with pytest.raises(Quarantine, match="the file has 2 lines, its reader finds 1 rows"):
        lines.frame(["a"])
