"""Payments that came as columns and are plain: all have the same names, and no text needs a second look. They are examined together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from assay.app.gate.plain_texts import Texts
from assay.codecs.columns import I64, Strings
from assay.codecs.digests import sha256_rows

RECORD: Final = "payment"
_DIGEST_BYTES: Final = 32


@dataclass(slots=True)
class PlainPayments:
    """n payments. `envelope` has the texts, and the seed, of the fields that are there, without the time; times and amounts are int64[n].

    `made` is what an examiner has made of them once it `looked`; None where each row is to be examined by itself.
    """

    envelope: Mapping[str, Texts | int]
    ts_utc: Sequence[str]
    ts_us: I64
    kind: Texts
    amount_minor: I64
    currency: Texts
    entities: Mapping[str, Texts]
    attributes: Mapping[str, Texts]
    looked: bool = False
    made: list[Any] | None = field(default=None)

    def __len__(self) -> int:
        return len(self.ts_us)

    def items(self) -> list[PlainItem]:
        """Each row as an item."""
        return [PlainItem(self, row) for row in range(len(self))]

    @property
    def event_ids(self) -> list[str]:
        """The id of each row."""
        ids = self.envelope["event_id"]
        assert not isinstance(ids, int)
        return per_row(ids, len(self))

    def shared(self, name: str) -> str | int | None:
        """The value of a field that all rows share; None where it is not there, or differs."""
        value = self.envelope.get(name)
        return None if isinstance(value, list) else value

    def raw(self, row: int) -> bytes:
        """The envelope in JSON that a row is equal to."""
        payload = {"kind": _at(self.kind, row), "amount_minor": int(self.amount_minor[row]), "currency": _at(self.currency, row)}
        groups = {"entities": self.entities, "attributes": self.attributes}
        told = {group: {name: _at(texts, row) for name, texts in members.items()} for group, members in groups.items()}
        head = {name: _at(value, row) if isinstance(value, list) else value for name, value in self.envelope.items()}
        return msgspec.json.encode({**head, "ts_utc": self.ts_utc[row], "payload": {**payload, **told}})

    def hashes(self, head: bytes, tail: bytes) -> list[bytes]:
        """The payload hash of each row: sha256 of its canonical JSON between `head` and `tail`; see `contracts.envelope.payload_hash`."""
        told: list[str | list[Any]] = ['{"amount_minor":', self.amount_minor.tolist(), ',"attributes":{', *_members(self.attributes)]
        told += ['},"currency":"', self.currency, '","entities":{', *_members(self.entities), '},"kind":"', self.kind, '"}', tail.decode()]
        return digests(head, written(told, len(self)))


class PlainItem(NamedTuple):
    """One row of plain payments: an item of a call, and its own payload."""

    batch: PlainPayments
    row: int

    @property
    def raw(self) -> bytes:
        """The envelope in JSON that it is equal to."""
        return self.batch.raw(self.row)

    @property
    def kind(self) -> str:
        """As in a payload, and so are the others: an object per row would cost more than all that is done with it."""
        return _at(self.batch.kind, self.row)

    @property
    def amount_minor(self) -> int:
        """In integer minor units."""
        return int(self.batch.amount_minor[self.row])

    @property
    def currency(self) -> str:
        """Its code."""
        return _at(self.batch.currency, self.row)

    @property
    def entities(self) -> dict[str, str]:
        """Ids by name."""
        return {name: _at(texts, self.row) for name, texts in self.batch.entities.items()}

    @property
    def attributes(self) -> dict[str, str]:
        """Values by name."""
        return {name: _at(texts, self.row) for name, texts in self.batch.attributes.items()}


def whole_batches(items: Sequence[object]) -> list[PlainPayments] | None:
    """The batches that these are all rows of, in their order; None where one is no row, or rows are missing."""
    found, at = list[PlainPayments](), 0
    while at < len(items):
        batch = whole_batch(items, at)
        if batch is None:
            return None
        found.append(batch)
        at += len(batch)
    return found


def whole_batch(items: Sequence[object], at: int) -> PlainPayments | None:
    """The batch that the items from this one on are all rows of, None where they are not.

    Each row is there once at most, and those of a batch follow one another: where the n-th from its first one is of it, too, all are there.
    """
    first = items[at]
    if not isinstance(first, PlainItem):
        return None
    end = at + len(first.batch)
    last = items[end - 1] if end <= len(items) else None
    return first.batch if isinstance(last, PlainItem) and last.batch is first.batch else None


def per_row(texts: Texts, n: int) -> list[str]:
    """A text for each of n rows."""
    return [texts] * n if isinstance(texts, str) else texts


def written(told: Sequence[str | list[Any]], n: int) -> list[str]:
    """n texts: what is a text stands in each of them, of a list each has its own."""
    form = "".join("%s" if isinstance(part, list) else part.replace("%", "%%") for part in told)
    columns = [part for part in told if isinstance(part, list)]
    return [form % row for row in zip(*columns, strict=True)] if columns else [form % ()] * n


def digests(prefix: bytes, texts: Sequence[str]) -> list[bytes]:
    """sha256 of prefix and text, 32 bytes each."""
    rows = Strings.of(texts)
    found = sha256_rows(prefix, rows.data, rows.starts, rows.lengths).tobytes()
    return [found[at : at + _DIGEST_BYTES] for at in range(0, len(found), _DIGEST_BYTES)]


def _members(members: Mapping[str, Texts]) -> list[str | list[Any]]:
    """The members of an object, sorted by name, in the parts of `written`."""
    told: list[str | list[Any]] = []
    for name in sorted(members):
        told += [f'{"," if told else ""}"{name}":"', members[name], '"']
    return told


def _at(texts: Texts, row: int) -> str:
    return texts if isinstance(texts, str) else texts[row]
