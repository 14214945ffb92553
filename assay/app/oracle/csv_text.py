"""The bytes of a text file as its mapping declares them: unpacked, UTF-8, from the header on, quotation marks doubled."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Final

import polars as pl

from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import unreadable

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_TRANSCODE_REMEDY: Final = "Declare csv.encoding in the mapping (for example latin-1, cp1252, utf-16), or save the file as UTF-8."


def utf8_text(path: Path, form: CsvForm) -> bytes:
    """The file unpacked and as UTF-8, without a byte order mark. Raises Quarantine(INPUT_FILE_UNREADABLE)."""
    text = _unpacked(path)
    try:
        if form.encoding is not None:
            text = _decoded(path, text, form.encoding).encode()
        elif not text.isascii():
            text.decode()
    except UnicodeError as error:
        raise _wrong_encoding(path, form, text, error) from None
    text = text.removeprefix(BOM)
    if b"\0" in text[:4096]:
        raise unreadable(path, "the text holds NUL characters", _TRANSCODE_REMEDY)
    return text


def _decoded(path: Path, text: bytes, encoding: str) -> str:
    """Text of the declared encoding. One of single bytes reads any bytes, those of UTF-8 as other letters: `CafÃ©`."""
    decoded = text.decode(encoding)
    if text.isascii() or len(decoded) != len(text):
        return decoded
    try:
        seen = text.decode()
    except UnicodeDecodeError:
        return decoded
    at = next(place for place, letter in enumerate(seen) if not letter.isascii())
    wrong = seen[at].encode().decode(encoding)
    what = f"the text is UTF-8: as {encoding}, '{seen[at]}' would be '{wrong}'"
    raise unreadable(f"{path}, line {seen.count(chr(10), 0, at) + 1}", what, "Take csv.encoding out of the mapping.")


def _unpacked(path: Path) -> bytes:
    packed = path.read_bytes()
    try:
        if packed.startswith(GZIP):
            return gzip.decompress(packed)
        if packed.startswith(ZSTD):  # polars has zstd, Python has it from 3.14 on
            return "\n".join(pl.scan_lines(path).collect().to_series().to_list()).encode()
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        what = f"the file cannot be unpacked: {str(error).splitlines()[0]}"
        raise unreadable(path, what, "Get the whole file again; a text that is not UTF-8 is unpacked before the import.") from None
    return packed


def csv_text(path: Path, form: CsvForm) -> bytes:
    """A CSV from its header on to its last row, marks within fields doubled. Raises Quarantine(INPUT_FILE_UNREADABLE)."""
    return from_header(utf8_text(path, form), form)


def from_header(text: bytes, form: CsvForm) -> bytes:
    """UTF-8 text without its preamble and empty ends, marks within fields doubled."""
    for _ in range(form.preamble or 0):
        text = text.partition(b"\n")[2]
    text = text.strip(b"\r\n")
    if form.escape is not None and form.quote_mark is not None and form.escape != form.quote_mark:
        text = _doubled(text, form.escape.encode(), form.quote_mark.encode(), (form.separator or ",").encode())
    return text


def _wrong_encoding(path: Path, form: CsvForm, text: bytes, error: UnicodeError) -> Exception:
    if form.encoding is not None:
        return unreadable(path, f"the text is not {form.encoding}: {error}", "Correct csv.encoding in the mapping.")
    if text.startswith(_UTF_16):
        return unreadable(path, "the text is not UTF-8, it begins as UTF-16 does", "Declare csv.encoding: utf-16 in the mapping.")
    at = error.start if isinstance(error, UnicodeDecodeError) else 0
    line = text.count(b"\n", 0, at) + 1
    return unreadable(f"{path}, line {line}", f"the text is not UTF-8: byte 0x{text[at]:02X}", _TRANSCODE_REMEDY)


def _doubled(text: bytes, escape: bytes, quote: bytes, separator: bytes) -> bytes:
    """Within quoted fields, an escaped mark becomes a doubled one and an escaped escape a single one; other text stays."""
    e, q, s = re.escape(escape), re.escape(quote), re.escape(separator)
    field = re.compile(rb"(?s)(?:\A|(?<=[" + s + rb"\n]))" + q + rb"((?:[^" + q + e + rb"]|" + e + rb".|" + q + q + rb")*+)" + q)
    escaped = re.compile(e + rb"([" + q + e + rb"])")

    def written(found: re.Match[bytes]) -> bytes:
        if escape not in found[1]:
            return found[0]
        return quote + escaped.sub(lambda one: quote * 2 if one[1] == quote else one[1], found[1]) + quote

    return field.sub(written, text)
