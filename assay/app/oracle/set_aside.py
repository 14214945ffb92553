"""Rows that an import sets aside: written to a file as they stood, each with its fault, so that they can be corrected and imported.

The file is JSON lines: `assay` with the row's number and fault, and `values` with all its columns. The mapping of the import reads it.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from assay.app.oracle.aside_types import not_finite, written
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.reading import read_whole
from assay.app.oracle.refusing import FILE, FILE_ROW, ROW, RowsRefused
from assay.app.stores.durable import create_file
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_SUFFIXES = (".jsonl", ".ndjson")


def refuse_aside_file(path: Path) -> None:
    """Before anything is read: raises Stop(ASIDE_FILE_REFUSED) for a file that could not be written, or not be read again."""
    if path.suffix.lower() not in _SUFFIXES:
        raise _refused(path, f"'{path.suffix}' is not the kind of file that rows are set aside in", f"Let its name end in {_SUFFIXES[0]}.")
    if not path.parent.is_dir():
        raise _refused(path, "its folder does not exist", "Make the folder, or name a file in another one.")


def write_aside(path: Path, source: Path, form: CsvForm, faults: Sequence[RowsRefused]) -> None:
    """Write the rows at fault; nothing where there are none. A file that is there stays, and is as good if it says the same.

    Raises Stop(ASIDE_FILE_REFUSED) for a file that is there and says something else.
    """
    if not faults:
        return
    data = aside_lines(read_whole(source, form), faults)
    try:
        create_file(path, data)
    except FileExistsError:
        if not path.is_file() or path.read_bytes() != data:
            raise _refused(path, "it is there, and nothing is overwritten", "Name a file that is not there, or move this one.") from None


def aside_lines(rows: pl.DataFrame, faults: Sequence[RowsRefused]) -> bytes:
    """The rows at fault as JSON lines, in their order. `rows`: the whole file with row numbers."""
    parts = []
    for fault in faults:
        told = {"code": fault.reason.value, "column": fault.told.column, "detail": fault.told.details(), "remedy": fault.remedy}
        parts.append(pl.DataFrame({ROW: fault.rows, **told}))
    found = pl.concat(parts).sort(ROW)
    held = rows.filter(rows[ROW].is_in(found[ROW].implode())).sort(ROW)
    places = [held[name].alias(told) for name, told in ((ROW, "row"), (FILE, "file"), (FILE_ROW, "file_row")) if name in held.columns]
    values, types = written(held.drop(ROW, FILE, FILE_ROW, strict=False))
    typed = [pl.DataFrame({name: [kind] * len(held) for name, kind in types.items()}).to_struct("types")] if types else []
    fault_columns = found.drop(ROW).iter_columns()
    lines = io.BytesIO()
    pl.DataFrame([pl.DataFrame([*places, *fault_columns, *typed]).to_struct("assay"), values.to_struct("values")]).write_ndjson(lines)
    return _with_not_finite(lines.getvalue(), not_finite(values))


def _with_not_finite(text: bytes, found: Mapping[int, Mapping[str, str]]) -> bytes:
    """Lines with floats in words where JSON has no number; a frame has no column of both."""
    lines = text.split(b"\n")
    for place, words in found.items():
        line = json.loads(lines[place])
        line["values"] |= words
        lines[place] = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    return b"\n".join(lines)


def counts_of(faults: Sequence[RowsRefused]) -> dict[str, int]:
    """Code → rows that are set aside for it."""
    counts: Counter[str] = Counter()
    for fault in faults:
        counts[fault.reason.value] += len(fault.rows)
    return dict(sorted(counts.items()))


def set_aside_text(counts: Mapping[str, int]) -> str:
    """How many rows were set aside at import, by code; empty for none."""
    if not counts:
        return ""
    codes = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    total = sum(counts.values())
    return f"{total:,} row{'s' if total > 1 else ''} set aside at import ({codes})"


def _refused(path: Path, what: str, remedy: str) -> Stop:
    return Stop(Reason.ASIDE_FILE_REFUSED, f"rows cannot be set aside: {what}", where=str(path), remedy=remedy)
