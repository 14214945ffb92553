"""Rows that an import sets aside: written to a file as they stood, each with its fault, so that they can be corrected and imported.

The file is JSON lines: the fault under names that begin with `assay.`, then all columns of the row. The mapping of the import reads it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from assay.app.oracle.column_types import plain_types
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.reading import read_whole
from assay.app.oracle.refusing import FILE, FILE_ROW, ROW, RowsRefused
from assay.app.stores.durable import create_file
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_SUFFIXES = (".jsonl", ".ndjson")
_OURS = "assay."


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
    found = pl.concat(parts).join(rows, on=ROW, how="inner", maintain_order="left").sort(ROW)
    held = _written(found.drop("code", "column", "detail", "remedy", ROW, FILE, FILE_ROW, strict=False))
    held = held.drop([name for name in held.columns if name.startswith(_OURS)])  # of an earlier import of these rows
    ours = {"row": ROW, "file": FILE, "file_row": FILE_ROW, "code": "code", "column": "column", "detail": "detail", "remedy": "remedy"}
    named = [found[name].alias(f"{_OURS}{ours_name}") for ours_name, name in ours.items() if name in found.columns]
    lines = io.BytesIO()
    pl.DataFrame([*named, *held.iter_columns()]).write_ndjson(lines)
    return lines.getvalue()


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


def _written(frame: pl.DataFrame) -> pl.DataFrame:
    """Values that JSON has no form of are written out: times, decimals, NaN, and bytes that are no text in hexadecimal digits."""
    frame = plain_types(frame)
    frame = frame.with_columns(
        (cs.temporal() | cs.decimal()).cast(pl.String), cs.binary().bin.encode("hex"), cs.by_dtype(pl.Int128, pl.UInt64).cast(pl.String)
    )
    odd = [series.name for series in frame.select(cs.float()).iter_columns() if not series.is_finite().fill_null(True).all()]
    return frame.with_columns(cs.by_name(*odd).cast(pl.String)) if odd else frame


def _refused(path: Path, what: str, remedy: str) -> Stop:
    return Stop(Reason.ASIDE_FILE_REFUSED, f"rows cannot be set aside: {what}", where=str(path), remedy=remedy)
