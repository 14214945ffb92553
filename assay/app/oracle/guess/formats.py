"""Formats of strptime that fit all values of a column. Where the day and the month may be exchanged, all that fit are given."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import polars as pl

from assay.app.oracle.time_columns import by_format

_DATES: Final = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y", "%m.%d.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d",
    "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
_CLOCKS: Final = {
    "%H:%M:%S": r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}",
    "%H:%M": r"[0-9]{1,2}:[0-9]{2}",
    "%H:%M:%S.%f": r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}\.[0-9]+",
    "%I:%M:%S %p": r"[0-9]{1,2}:[0-9]{2}:[0-9]{2} [AaPp][Mm]",
    "%I:%M %p": r"[0-9]{1,2}:[0-9]{2} [AaPp][Mm]",
    "%H%M%S": r"[0-9]{6}",
}
_YY, _MO, _DD, _HH, _MI = "[0-9]{2}", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])", "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
#: dates with a time of day that are as long as numbers of seconds or milliseconds since 1970
_DIGITS: Final = {
    "%y%m%d%H%M": f"{_YY}{_MO}{_DD}{_HH}{_MI}",
    "%d%m%y%H%M": f"{_DD}{_MO}{_YY}{_HH}{_MI}",
    "%m%d%y%H%M": f"{_MO}{_DD}{_YY}{_HH}{_MI}",
    "%Y%m%d%H": f"(?:19|20){_YY}{_MO}{_DD}{_HH}",
    "%y%m%d%H%M%S": f"{_YY}{_MO}{_DD}{_HH}{_MI}{_MI}",
    "%d%m%y%H%M%S": f"{_DD}{_MO}{_YY}{_HH}{_MI}{_MI}",
    "%m%d%y%H%M%S": f"{_MO}{_DD}{_YY}{_HH}{_MI}{_MI}",
}
_DIGITS_CLOCKS: Final = {"%H%M%S": f"{_HH}{_MI}{_MI}", "%H%M": f"{_HH}{_MI}"}
_OFFSET: Final = r" ?[+-][0-9]{2}:?[0-9]{2}"
#: values that every format is tried on before it is held against all
_TRIED: Final = 40


class Formats(NamedTuple):
    """Formats that fit all values; whether they have a time of day and an offset; what decided."""

    forms: list[str]
    clock: bool
    offset: bool
    why: str


def clock_format(text: pl.Series) -> str | None:
    """The format of times of day; None where not all values are such."""
    if not len(text):
        return None
    return next((form for form, pattern in _CLOCKS.items() if form != "%H%M%S" and text.str.contains(f"^(?:{pattern})$").all()), None)


def digits_clock(text: pl.Series) -> str | None:
    """The format of times of day in digits alone. One with a 0 in front shows that the others have theirs, too."""
    if not text.str.starts_with("0").any():
        return None
    return next((form for form, pattern in _DIGITS_CLOCKS.items() if text.str.contains(f"^{pattern}$").all()), None)


def digits_forms(text: pl.Series) -> list[str]:
    """The formats of dates with a time of day that numbers of the size of times since 1970 fit as well."""
    return [form for form, pattern in _DIGITS.items() if text.str.contains(rf"^{pattern}(?:\.0*)?$").all()]


def formats_of(text: pl.Series) -> Formats | None:
    """All formats that fit; None where none does."""
    if not len(text):
        return None
    rest = _rest(str(text[0]))
    if rest is None:
        return None
    between, clock, offset = rest
    tail = f"{between}{clock}{offset}"
    tried = text.head(_TRIED)
    forms = [date + tail for date in _DATES if _fits(tried, date + tail) and _fits(text, date + tail)]
    if not forms:
        return None
    forms = [form for form in forms if form.replace("%B", "%b") not in forms or "%B" not in form]  # both read names of months
    four = [form for form in forms if "%Y" in form]
    return Formats(four or forms, clock=bool(clock), offset=bool(offset), why=_decided(text))


def _rest(value: str) -> tuple[str, str, str] | None:
    """What stands behind the date: a separator, a time of day and an offset, each as a format."""
    offset = re.search(f"[0-9](?P<offset>{_OFFSET})$", value) if ":" in value else None
    body = value[: offset.start("offset")] if offset else value
    form = "" if offset is None else (" %z" if offset["offset"].startswith(" ") else "%z")
    for clock, pattern in _CLOCKS.items():
        found = re.search(rf"(?P<between>[ T]|, )(?:{pattern})$", body)
        if found:
            return found["between"], clock, form
    return ("", "", "") if re.search(r"[0-9]$", body) else None


def _fits(text: pl.Series, form: str) -> bool:
    try:
        read = by_format(text, form)
    except pl.exceptions.PolarsError:
        return False
    years = read.dt.year()
    return bool(read.is_not_null().all() and years.is_between(1990, 2100).all())


def _decided(text: pl.Series) -> str:
    """The value that shows the order of day and month."""
    groups = text.str.extract_groups(r"^([0-9]{1,2})[^0-9]([0-9]{1,2})[^0-9]").struct.unnest()
    for column in groups.get_columns():
        high = text.filter((column.cast(pl.Int64, strict=False) > 12).fill_null(False))
        if len(high):
            return f"see {high[0]}"
    return f"such as {text[0]}"
