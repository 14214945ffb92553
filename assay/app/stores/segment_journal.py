"""The audit chain in an object store: segment n is created once, and the head says where the chain ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import NamedTuple

from assay.app.stores.objects import ObjectChanged, ObjectExists, ObjectStore
from assay.codecs.audit_segment import SEGMENTS
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

FOLDER_OF_HEAD = "evidence"
HEAD = f"{FOLDER_OF_HEAD}/audit_head.json"
#: how often a standby looks for the next segment
FOLLOW_POLL_S = 0.2


class Head(NamedTuple):
    """The last segment of a chain: its sequence and the hex digest of its bytes."""

    sequence: int
    sha256: str


def segment_key(sequence: int) -> str:
    """Object key of a segment; keys sort by sequence."""
    return f"{SEGMENTS}/{sequence:010d}.seg"


class SegmentJournal:
    """The journal of the audit lane: offset n is segment n."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._next = 0
        self._before: Head | None = None
        self._last: Head | None = None
        self._head: Head | None = None

    async def start(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        """Create the next segment durably. Raises Stop(AUDIT_CHAIN_BROKEN) when another writer was there first."""
        offset, self._next = self._next, self._next + 1
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._create, offset, value)
        await loop.run_in_executor(None, self._move_head, Head(offset, hashlib.sha256(value).hexdigest()))
        acknowledged: asyncio.Future[int] = loop.create_future()
        acknowledged.set_result(offset)
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        """Every segment not read yet, in order; a head that a crash left one segment behind is moved on.

        Raises Stop(AUDIT_CHAIN_BROKEN) for a missing segment and Stop(AUDIT_HEAD_MISMATCH) when chain and head do not end alike.
        """
        for key in self._store.keys(SEGMENTS):
            if key < segment_key(self._next):
                continue
            if key != segment_key(self._next):
                raise _broken(f"segment {self._next} is missing: {key} comes after {self._next} segments")
            yield self._taken(self._store.read(key))
        self._close_chain()

    async def read_between(self, first: int, end: int) -> list[bytes]:
        """These segments."""
        return [self._store.read(segment_key(sequence)) for sequence in range(first, end)]

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Segments not read yet as they come, without end; an empty list now and then while none come. Heads are left alone."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                value = await loop.run_in_executor(None, self._store.read, segment_key(self._next))
            except FileNotFoundError:
                yield []
                await asyncio.sleep(FOLLOW_POLL_S)
            else:
                yield [self._taken(value)]

    def _taken(self, value: bytes) -> tuple[int, bytes]:
        self._before, self._last = self._last, Head(self._next, hashlib.sha256(value).hexdigest())
        self._next += 1
        return self._last.sequence, value

    def _close_chain(self) -> None:
        for folder in (SEGMENTS, FOLDER_OF_HEAD):  # before a head or a segment comes behind them, and before anybody is told of them
            self._store.make_durable(folder)
        self._head = head = read_head(self._store)
        before, last = self._before, self._last
        if head == last:
            return
        if last is None or head != before:
            raise Stop(
                Reason.AUDIT_HEAD_MISMATCH,
                f"the head names {_named(head)}, the chain ends with {_named(last)}",
                where=HEAD,
                remedy="Run `assay audit verify`; restore segments or head from a copy that verifies.",
            )
        self._move_head(last)  # the process died between a segment and its head

    def _create(self, offset: int, value: bytes) -> None:
        try:
            self._store.create(segment_key(offset), value)
        except ObjectExists:
            raise _broken(f"segment {offset} exists already: another worker writes this audit") from None

    def _move_head(self, head: Head) -> None:
        """A worker that slept since it created its segment must not move the head back from where others have moved it."""
        try:
            self._store.swap(HEAD, canonical(head._asdict()), canonical(self._head._asdict()) if self._head else None)
        except ObjectChanged:
            raise _broken("its head was moved: another worker writes this audit") from None
        self._head = head


def read_head(store: ObjectStore) -> Head | None:
    """The end of the chain, None while there is none. Raises Stop(AUDIT_HEAD_MISMATCH) for a head that cannot be read."""
    try:
        data = store.read(HEAD)
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(data)
        head = Head(fields["sequence"], fields["sha256"])
        if type(head.sequence) is not int or data != canonical(head._asdict()):
            raise ValueError("not as it was written")
    except (ValueError, KeyError, TypeError, RecursionError, Quarantine) as error:
        raise Stop(Reason.AUDIT_HEAD_MISMATCH, f"the head of the audit chain is damaged: {error}", where=HEAD) from None
    return head


def _named(head: Head | None) -> str:
    return "nothing" if head is None else f"segment {head.sequence} ({head.sha256[:12]}…)"


def _broken(what: str) -> Stop:
    return Stop(Reason.AUDIT_CHAIN_BROKEN, what, where=SEGMENTS, remedy="Run `assay audit verify`; it says what is wrong with the chain.")
