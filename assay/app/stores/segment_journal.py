"""The audit chain in an object store: segment n is created once, and the head says where the chain ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from assay.app.stores.objects import ObjectChanged, ObjectExists, ObjectStore
from assay.codecs.audit_segment import SEGMENTS
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Retry, Stop
from assay.contracts.reasons import Reason

FOLDER_OF_HEAD = "evidence"
HEAD = f"{FOLDER_OF_HEAD}/audit_head.json"
#: how often a standby looks for the next segment
FOLLOW_POLL_S = 0.2
#: pauses before a call to a store that did not answer is made again; the last one lasts
AGAIN_AFTER_S = (0.5, 1.0, 2.0, 5.0)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Head(NamedTuple):
    """The last segment of a chain: its sequence and the hex digest of its bytes."""

    sequence: int
    sha256: str


def segment_key(sequence: int) -> str:
    """Object key of a segment; keys sort by sequence."""
    return f"{SEGMENTS}/{sequence:010d}.seg"


def sequence_of(key: str) -> int:
    """The sequence in a segment's name; any other object comes after all segments."""
    digits = key.rsplit("/", 1)[1].removesuffix(".seg")
    return int(digits) if digits.isdigit() else 2**62


class SegmentJournal:
    """The journal of the audit lane: offset n is segment n.

    While a store is silent (Retry STORE_SILENT) every call is made again: the lane waits, and what it reads waits on the bus. A write
    whose answer never came is known by its bytes. The store is asked from threads, so a slow one holds up no other lane.
    """

    def __init__(self, store: ObjectStore, again_after_s: Sequence[float] = AGAIN_AFTER_S) -> None:
        self._store, self._again_after_s = store, tuple(again_after_s)
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
        await self._asked(lambda before: self._create(offset, value, repeated=before > 0))
        head = Head(offset, hashlib.sha256(value).hexdigest())
        await self._asked(lambda before: self._move_head(head, repeated=before > 0))
        acknowledged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(offset)
        return acknowledged

    async def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        """Every segment not read yet, in order; a head that a crash left one segment behind is moved on.

        Raises Stop(AUDIT_CHAIN_BROKEN) for a missing segment and Stop(AUDIT_HEAD_MISMATCH) when chain and head do not end alike.
        """
        for key in await self._asked(lambda _: list(self._store.keys(SEGMENTS))):
            if key < segment_key(self._next):
                continue
            if key != segment_key(self._next):
                raise _broken(f"segment {self._next} is missing: {key} comes after {self._next} segments")
            yield self._taken(await self._asked(partial(self._read, key)))
        await self._asked(self._close_chain)

    async def read_between(self, first: int, end: int) -> list[bytes]:
        """These segments."""
        return [await self._asked(partial(self._read, segment_key(sequence))) for sequence in range(first, end)]

    async def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Segments not read yet as they come, without end; an empty list now and then while none come. Heads are left alone."""
        while True:
            try:
                value = await self._asked(partial(self._read, segment_key(self._next)))
            except FileNotFoundError:
                yield []
                await asyncio.sleep(FOLLOW_POLL_S)
            else:
                yield [self._taken(value)]

    async def _asked(self, call: Callable[[int], _T]) -> _T:
        """What a call of the store gives, made again while the store is silent. `call` is told how often it was made before."""
        loop, tries = asyncio.get_running_loop(), 0
        while True:
            try:
                given = await loop.run_in_executor(None, call, tries)
            except Retry as silent:
                if silent.reason is not Reason.STORE_SILENT:
                    raise
                if not tries:
                    _log.warning("the audit lane waits for the object store: %s", silent)
                await asyncio.sleep(self._again_after_s[min(tries, len(self._again_after_s) - 1)])
                tries += 1
            else:
                if tries:
                    _log.warning("the object store answers again; the audit lane goes on")
                return given

    def _read(self, key: str, _: int) -> bytes:
        return self._store.read(key)

    def _taken(self, value: bytes) -> tuple[int, bytes]:
        self._before, self._last = self._last, Head(self._next, hashlib.sha256(value).hexdigest())
        self._next += 1
        return self._last.sequence, value

    def _close_chain(self, _: int) -> None:
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
        self._move_head(last, repeated=False)  # the process died between a segment and its head

    def _create(self, offset: int, value: bytes, *, repeated: bool) -> None:
        """A repeated write may meet itself. A segment of another worker with the same bytes is the same segment of the chain."""
        try:
            self._store.create(segment_key(offset), value)
        except ObjectExists:
            if not repeated or self._store.read(segment_key(offset)) != value:
                raise _broken(f"segment {offset} exists already: another worker writes this audit") from None

    def _move_head(self, head: Head, *, repeated: bool) -> None:
        """A worker that slept since it created its segment must not move the head back from where others have moved it."""
        try:
            self._store.swap(HEAD, canonical(head._asdict()), canonical(self._head._asdict()) if self._head else None)
        except ObjectChanged:
            if not repeated or read_head(self._store) != head:
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
