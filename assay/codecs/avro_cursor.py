"""Avro values read one after another from the bytes of one record, with the verdicts of the columns codec.

For a record that is read alone and often: the head of a journal record. Batches are decoded into columns instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


class Cursor:
    """Reads on from `at`; `name` is that of the record. Every method raises Quarantine: BYTES_TRUNCATED, BYTES_OVERSIZED, BYTES_GARBAGE."""

    def __init__(self, value: bytes, at: int, name: str) -> None:
        self._value, self._at, self._name = value, at, name

    def long(self) -> int:
        """A number of 64 bits."""
        value, at = self._value, self._at
        bits = shift = 0
        try:
            while (byte := value[at]) > 127:
                bits |= (byte & 127) << shift
                shift += 7
                at += 1
                if shift > 63:
                    raise self._refused(Reason.BYTES_GARBAGE)
        except IndexError:
            raise self._refused(Reason.BYTES_TRUNCATED) from None
        self._at = at + 1
        bits |= byte << shift
        if bits >> 64:
            raise self._refused(Reason.BYTES_GARBAGE)
        return (bits >> 1) ^ -(bits & 1)

    def int32(self) -> int:
        """A number of 32 bits."""
        number = self.long()
        if not -(2**31) <= number < 2**31:
            raise self._refused(Reason.BYTES_GARBAGE)
        return number

    def span(self) -> tuple[int, int]:
        """Where a text or bytes begin, and how many they are."""
        size = self.long()
        if size < 0:
            raise self._refused(Reason.BYTES_GARBAGE)
        return self._passed(size), size

    def text(self) -> str:
        """A string."""
        at, size = self.span()
        try:
            return str(self._value[at : at + size], "utf-8")
        except UnicodeDecodeError:
            raise self._refused(Reason.BYTES_GARBAGE) from None

    def fixed(self, size: int) -> bytes:
        """So many bytes."""
        at = self._passed(size)
        return self._value[at : at + size]

    def items(self) -> Iterator[int]:
        """One step per item of an array, in blocks as they were written."""
        while count := self.long():
            if count < 0:
                count, size = -count, self.long()
                if size < 0 or count > 2**63 - 1:
                    raise self._refused(Reason.BYTES_GARBAGE)
                self._within(size)
            self._within(count)
            yield from range(count)

    def end(self) -> None:
        """Nothing is left."""
        if self._at != len(self._value):
            raise self._refused(Reason.BYTES_OVERSIZED)

    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._value)

    def _passed(self, size: int) -> int:
        """Go over so many bytes; where they began."""
        self._within(size)
        at, self._at = self._at, self._at + size
        return at

    def _within(self, size: int) -> None:
        if size > len(self._value) - self._at:
            raise self._refused(Reason.BYTES_TRUNCATED)

    def _refused(self, reason: Reason) -> Quarantine:
        return Quarantine(reason, f"the body of a {self._name} cannot be read", remedy="Look at its producer.")
