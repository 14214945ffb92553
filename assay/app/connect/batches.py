"""Records of one partition as items for the gate, and those at fault. Each record is read as if it were alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from assay.app.connect.topic_mapping import ITEM_COLUMNS, TopicMapping
from assay.app.connect.values import Number, texts, unreadable
from assay.app.gate.card_numbers import masked
from assay.app.oracle.mapping_csv import CsvForm
from assay.app.oracle.refusing import ROW, RowsRefused
from assay.contracts.errors import Quarantine
from assay.contracts.limits import BODY_BYTES_MAX
from assay.contracts.reasons import Reason

#: a text with a point that may be one of decimals or of thousands
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]{3}")
_BRACKETS: Final = 2


class TopicValue(NamedTuple):
    """One record of a partition; a value of None is a tombstone."""

    offset: int
    value: bytes | None


class Fault(NamedTuple):
    """Why a record is not in the run. `where` is a column, the value, or a place in what the gate was sent."""

    offset: int
    error: str
    detail: str
    where: str
    remedy: str

    def without_cards(self) -> Fault:
        """The same without card numbers in clear."""
        return self._replace(detail=masked(self.detail), where=masked(self.where), remedy=masked(self.remedy))


class Fields(NamedTuple):
    """What is read of each value."""

    columns: list[str]
    amounts: frozenset[str]
    form: CsvForm


class Items(NamedTuple):
    """`rows` of `ITEM_COLUMNS` in the order of their offsets, the records at fault, and how many were passed over."""

    rows: pl.DataFrame
    faults: list[Fault]
    tombstones: int
    filtered: int


class Body(NamedTuple):
    """A call to the gate with items of these ids and offsets."""

    offsets: list[int]
    ids: list[str]
    data: bytes


def items_of(
    records: Sequence[TopicValue], mapping: TopicMapping, read: Callable[[bytes], dict[str, Any]], partition: int, now_us: int
) -> Items:
    """What the records of a partition are. `read` gives the object in a value, or raises Quarantine(RECORD_UNREADABLE)."""
    faults: list[Fault] = []
    fields = Fields(list(mapping.columns), frozenset(mapping.amounts), mapping.form)
    offsets: list[int] = []
    rows: list[list[str | None]] = []
    tombstones = 0
    for record in records:
        if record.value is None:
            tombstones += 1
            continue
        try:
            rows.append(_row(record.value, fields, read))
            offsets.append(record.offset)
        except Quarantine as fault:
            faults.append(_fault(record.offset, fault))
    columns = [list(one) for one in zip(*rows, strict=True)] or [[] for _ in fields.columns]
    named = [pl.Series(name, values, pl.String) for name, values in zip(fields.columns, columns, strict=True)]
    frame = pl.DataFrame([pl.Series(ROW, offsets, pl.Int64), *named])
    parts, refused = _sound(frame, lambda part: mapping.items(part, partition, now_us))
    found = pl.concat(parts).sort(ROW) if parts else pl.DataFrame(schema=dict.fromkeys(ITEM_COLUMNS, pl.String) | {ROW: pl.Int64})
    faults = sorted([*faults, *refused])
    return Items(found, faults, tombstones, len(records) - tombstones - len(faults) - len(found))


def bodies_of(rows: pl.DataFrame, items_max: int, bytes_max: int = BODY_BYTES_MAX) -> Iterable[Body]:
    """Calls with the rows in their order: no id twice in a call, so that an answer tells which item it means."""
    offsets: list[int] = []
    ids: list[str] = []
    parts: list[str] = []
    size, seen = _BRACKETS, set[str]()
    for offset, event_id, body in rows.select(*ITEM_COLUMNS).iter_rows():
        more = len(body.encode()) + 1
        if offsets and (event_id in seen or len(offsets) == items_max or size + more > bytes_max):
            yield Body(offsets, ids, f"[{','.join(parts)}]".encode())
            offsets, ids, parts, size, seen = [], [], [], _BRACKETS, set()
        offsets.append(offset)
        ids.append(event_id)
        parts.append(body)
        seen.add(event_id)
        size += more
    if offsets:
        yield Body(offsets, ids, f"[{','.join(parts)}]".encode())


def refused_of(body: Body, answer: Mapping[str, Any]) -> list[Fault]:
    """The items of a call that the gate set aside, in their order; all results or those of exceptions may be in the answer."""
    results = answer.get("results", ())
    whole = len(results) == len(body.offsets)
    at = {masked(event_id): offset for event_id, offset in zip(body.ids, body.offsets, strict=True)}  # the gate tells no card numbers
    at |= dict(zip(body.ids, body.offsets, strict=True))
    faults = []
    for number, result in enumerate(results):
        if result["admission"] == "QUARANTINE":
            offset = body.offsets[number] if whole else at[result["event_id"]]
            faults.append(Fault(offset, *(str(result.get(name, "")) for name in ("error", "detail", "where", "remedy"))))
    return sorted(faults)


def _row(value: bytes, fields: Fields, read: Callable[[bytes], dict[str, Any]]) -> list[str | None]:
    if not value:
        raise unreadable("the value is empty", "Send one record; a tombstone has no value at all.")
    found = texts(read(value), fields.columns)
    for column, text in zip(fields.columns, found, strict=True):
        if text is not None and column in fields.amounts:
            _refuse_ambiguous(text, column, fields.form)
    return found


def _refuse_ambiguous(text: str, column: str, form: CsvForm) -> None:
    """A number says itself where its decimals are; a text may group thousands by a point."""
    where = f"column '{column}'"
    if isinstance(text, Number):
        if form.decimal == "," and "." in text:
            what = f"a number with a point of its own, which csv.decimal does not fit: {text}"
            raise Quarantine(Reason.INPUT_COLUMN_TYPE, what, where=where, remedy="Send amounts as numbers, or all of them as text.")
    elif form.decimal is None and form.thousands is None and _GROUPED.fullmatch(text):
        what = f"a point that may be one of decimals or of thousands: {text!r}"
        remedy = "Declare csv.decimal and csv.thousands in the mapping, or send amounts as numbers."
        raise Quarantine(Reason.INPUT_VALUE_INVALID, what, where=where, remedy=remedy)


def _sound(frame: pl.DataFrame, check: Callable[[pl.DataFrame], pl.DataFrame]) -> tuple[list[pl.DataFrame], list[Fault]]:
    """What `check` makes of rows without fault, and the faults of the others. A fault that names no row is looked for by halves."""
    faults: list[Fault] = []
    while not frame.is_empty():
        try:
            return [check(frame)], faults
        except RowsRefused as fault:
            faults += _each(fault)
            frame = frame.filter(~frame[ROW].is_in(fault.rows.implode()))
        except Quarantine as fault:
            if len(frame) == 1:
                return [], [*faults, _fault(frame[ROW][0], fault)]
            middle = len(frame) // 2
            first, second = _sound(frame[:middle], check), _sound(frame[middle:], check)
            return [*first[0], *second[0]], [*faults, *first[1], *second[1]]
    return [], faults


def _each(fault: RowsRefused) -> list[Fault]:
    where = f"column '{fault.told.column}'"
    details = zip(fault.rows.to_list(), fault.told.details(), strict=True)
    return [Fault(offset, fault.reason.value, detail, where, fault.remedy) for offset, detail in details]


def _fault(offset: int, fault: Quarantine) -> Fault:
    return Fault(offset, fault.reason.value, fault.what, fault.where, fault.remedy)
