"""How a CSV is written, from its first bytes: the first form whose rows all have the fields of the header, by the import's own survey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from assay.app.oracle.csv_survey import Dialect, Fault, Survey, survey
from assay.app.oracle.csv_text import BOM, from_header
from assay.app.oracle.guess.leaves import Leaf, leaf
from assay.app.oracle.mapping_csv import CsvForm

_SEPARATORS: Final = (",", ";", "\t", "|")
_PREAMBLE_MAX: Final = 20
#: bytes of the search; the form is then held against all that was read
_SNIFFED: Final = 64 << 10
_MARKS: Final = (
    CsvForm(),
    CsvForm(escape="\\"),
    CsvForm(escape='"'),
    CsvForm(multiline=True),
    CsvForm(escape="\\", multiline=True),
    CsvForm(escape='"', multiline=True),
    CsvForm(quote="none"),
)
_WHY: Final = {
    "separator": "the header and all rows read have {fields} fields with it",
    "preamble": "the lines before the first one with {fields} fields",
    "escape": "a backslash stands before marks within quoted fields",
    "multiline": "quoted fields hold line breaks",
    "quote": "values stand between these marks",
}

#: bytes that cp1252 has no letter for
_NOT_OF_WINDOWS: Final = rb"[\x81\x8d\x8f\x90\x9d]"


class Written(NamedTuple):
    """How a CSV is written; the lines of the mapping that say so; the first fault where no form fits."""

    form: CsvForm
    leaves: list[Leaf]
    fault: Fault | None = None


def encoding_of(head: bytes) -> tuple[str | None, str]:
    """The encoding, None for UTF-8, and the reason. `head` ends with a whole line."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "the file begins with the byte order mark of UTF-16"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{head[error.start]:02X} is not UTF-8"
        if re.search(_NOT_OF_WINDOWS, head):
            return "latin-1", f"{byte}, and others are not of cp1252. Look at names with accents after the import"
        if re.search(rb"[\x80-\x9f]", head):
            return "cp1252", f"{byte}, and bytes from 0x80 to 0x9F are letters and marks of Windows"
        return "cp1252", f"{byte}; latin-1 reads the rows read alike. Look at names with accents after the import"
    return None, ""


def whole_rows(text: bytes) -> bytes:
    """Text from a row's start without the row that it is cut in: up to the last line feed before which marks are paired."""
    end, marks = text.rfind(b"\n"), text.count(b'"')
    last, after = end, len(text)
    while end >= 0:
        marks -= text.count(b'"', end, after)
        if marks % 2 == 0:
            return text[: end + 1]
        after, end = end, text.rfind(b"\n", 0, end)
    return text[: last + 1]


def written(text: bytes, default: str) -> Written:
    """The form of a CSV that begins with `text` (UTF-8, whole lines). `default`: the separator that needs no declaration."""
    text = text.removeprefix(BOM)
    cut = whole_rows(text[:_SNIFFED]) if len(text) > _SNIFFED else text
    first = next(((form, fields) for form, fields in _fitting(cut)), None)
    if first is None:
        lines = text.strip(b"\r\n").split(b"\n", 1)[0]
        form = CsvForm(separator=max(_SEPARATORS, key=lambda mark: lines.count(mark.encode())))
        found = _surveyed(text, form)
        return Written(form, [], found if isinstance(found, Fault) else None)
    form, fields = first
    found = _surveyed(text, form)
    if isinstance(found, Fault):  # marks that only later rows have
        others = [form.model_copy(update={"escape": marks.escape, "multiline": marks.multiline}) for marks in _MARKS[:-1]]
        form = next((one for one in others if not isinstance(_surveyed(text, one), Fault)), form)
        found = _surveyed(text, form)
    form = _single_quoted(text, form)
    return Written(form, _leaves(form, fields, default), found if isinstance(found, Fault) else None)


def _fitting(text: bytes) -> Iterator[tuple[CsvForm, int]]:
    """Forms whose header and rows have the same fields, and how many: the fewest lines before the header, then the most fields.

    Lines before the header have other fields: a row with a fault does not make a header of the next one.
    """
    lines = text.split(b"\n", _PREAMBLE_MAX)[:-1]
    for preamble in range(len(lines) + 1):
        found = []
        for separator in _SEPARATORS:
            for place, marks in enumerate(_MARKS):
                form = marks.model_copy(update={"separator": separator, "preamble": preamble or None})
                fields = _fields(text, form)
                if fields > 1 and not any(line.count(separator.encode()) + 1 == fields for line in lines[:preamble]) and _fits(text, form):
                    found.append((fields, -place, form))
                    break
        if found:
            fields, _, form = max(found, key=lambda one: one[:2])
            yield form, fields


def _fits(text: bytes, form: CsvForm) -> bool:
    found = _surveyed(text, form)
    return isinstance(found, Survey) and (found.rows > 0 or not form.preamble)


def _surveyed(text: bytes, form: CsvForm) -> Survey | Fault:
    quote = form.quote_mark
    dialect = Dialect(
        ord(form.separator or ","), None if quote is None else ord(quote), form.escape is not None, multiline=bool(form.multiline)
    )
    return survey(from_header(text, form), dialect)


def _fields(text: bytes, form: CsvForm) -> int:
    return from_header(text, form).split(b"\n", 1)[0].count((form.separator or ",").encode()) + 1


def _single_quoted(text: bytes, form: CsvForm) -> CsvForm:
    if b'"' in text:
        return form
    single = form.model_copy(update={"quote": "'"})
    separator = re.escape((form.separator or ",").encode())
    marked = len(re.findall(rb"(?m)(?:^|" + separator + rb")'[^'\n]*'(?=" + separator + rb"|\r?$)", text))
    return single if marked >= text.count(b"\n") - 1 > 0 and not isinstance(_surveyed(text, single), Fault) else form


def _leaves(form: CsvForm, fields: int, default: str) -> list[Leaf]:
    given = form.model_dump(mode="json")
    if given.get("separator") == default:
        del given["separator"]
    why = {name: text.format(fields=fields) for name, text in _WHY.items()}
    if given.get("escape") == '"':
        why["escape"] = "marks are doubled within quoted fields; a backslash is text"
    if given.get("quote") == "none":
        why["quote"] = "marks stand in the middle of fields, as plain text"
    return [leaf(f"csv.{name}", value, why[name]) for name, value in given.items()]
