"""Payments that came into a run: what its receipts, its traffic topic and the gate's index say together.

A lane decides what lies on the traffic topic. Whoever may write there can pass the gate; so every record is looked for among the
receipts, by event id and place, and what has no receipt is looked for in the index.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray

from assay.agents.step import Chunk
from assay.app.bus.topic_reader import read_topic
from assay.app.gate.horizon import Forgotten, forgotten_of
from assay.app.gate.index_tables import Connection
from assay.app.gate.spool import unseen
from assay.app.gate.unsettled import unknown_events
from assay.app.report.evidence import Entry
from assay.app.report.receipted import Receipt, admitted_receipts
from assay.app.run.directory import Run
from assay.app.sql_address import told
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.keyed_digest import SUMS, Key, among, joined, keyed_digests
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index
from assay.contracts import handles, instants
from assay.contracts.event_classes import TRAFFIC
from assay.contracts.ids import dedupe_key

T = TypeVar("T")
NAMED_MAX = 20
ASKED_AT_ONCE = 5_000
CONNECT_TIMEOUT_S = 5
_FIELDS = frozenset({"event_id", "ts_utc"})
_STANDING = """SELECT dedupe_key, state IN ('ADMITTED', 'AMBIGUOUS'), partition, "offset" FROM ig_standing WHERE dedupe_key = ANY(%s)"""
#: dedupe key → (settled, partition, offset) of the events that the index knows
Standing = Mapping[bytes, tuple[bool, int | None, int | None]]


#: in place of the time of what is no payment: later than all
NO_PAYMENT_US = 2**62


class Stray(NamedTuple):
    """A record on the traffic topic that no receipt speaks of. `ts_us` is the time of its payment, microseconds."""

    event_id: str
    partition: int
    offset: int
    ts_us: int = NO_PAYMENT_US


def entry_of(run: Run, properties: Mapping[str, str] | None = None) -> Entry:
    """What came into a run and how. `properties` are Kafka's. The gate must not be admitting meanwhile."""

    def on_topic() -> Iterable[Chunk]:
        return read_topic(run.bootstrap, handles.TRAFFIC, run.namespace, properties)

    def standing(events: Sequence[str]) -> Standing:
        return _standing(run, events)

    forgotten, silent = None, ""
    try:
        forgotten = _asked(run, lambda connection: forgotten_of(connection, run.platform_run_id))
    except psycopg.Error as error:
        silent = _silent(error)
    found = entry(admitted_receipts(run.store, run.directory), on_topic, standing, run.platform_run_id, unseen(run), forgotten)
    try:
        return found.model_copy(update={"ambiguous": _ambiguous(run), "unasked": found.unasked or silent})
    except psycopg.Error as error:
        return found.model_copy(update={"unasked": found.unasked or silent or _silent(error)})


def entry(
    receipts: Iterable[list[Receipt]],
    on_topic: Callable[[], Iterable[Chunk]],
    standing: Callable[[Sequence[str]], Standing],
    run_id: str,
    away: str = "",
    forgotten: Forgotten | None = None,
) -> Entry:
    """The same from its parts. Memory holds about 100 bytes per record; `standing` asks the index of some events. `away` says why some
    receipts may not be seen from here: none is called gone then. `forgotten` is what the index has forgotten: a payment that came
    again after that was admitted and decided again, and counts as often as it has places.

    `admitted` are distinct payments with a receipt, or on the topic without one: a gate that was killed may have published before it
    wrote. A receipt whose payment is not on the topic counts, so that a lost payment shows as one that was not decided.
    """
    topic = _Topic(Key(secrets.token_bytes(32)), receipts)
    for chunk in on_topic():
        topic.take(chunk)
    strays = topic.strays()
    unsettled, gone, unknown, unasked = _judge(strays, standing, run_id)
    before_us = forgotten.before_us if forgotten else -NO_PAYMENT_US
    strangers = [stray for stray in unknown if stray.ts_us >= before_us]
    if gone and away:
        gone, unasked = [], away
    return Entry(
        admitted=topic.admitted() + (topic.again() if forgotten else 0),
        receipts=topic.receipts,
        without_receipt=len(strays),
        unsettled=unsettled,
        receipts_gone=len(gone),
        strangers=len(strangers),
        named=tuple([*map(_stranger, strangers), *map(_gone, gone)][:NAMED_MAX]),
        unasked=unasked,
        forgotten=forgotten.ids if forgotten else 0,
        forgotten_before_utc=instants.text(forgotten.before_us) if forgotten else "",
        beyond=len(unknown) - len(strangers),
    )


def _stranger(stray: Stray) -> str:
    return f"event {stray.event_id}: {handles.TRAFFIC}[{stray.partition}] {stray.offset} came past the gate: its index does not know it"


def _gone(stray: Stray) -> str:
    return f"event {stray.event_id}: {handles.TRAFFIC}[{stray.partition}] {stray.offset} was admitted, and its receipt is gone"


class _Topic:
    """Receipts and the records of the topic as digests: event ids, ids with their places, and whole values."""

    def __init__(self, key: Key, receipts: Iterable[list[Receipt]]) -> None:
        self._key = key
        told = [self._digested(part) for part in receipts if part]
        self._told_ids = np.unique(joined([ids for ids, _ in told], 32))
        self._told_places = np.unique(joined([places for _, places in told], 40))
        self._ids: list[NDArray[Any]] = []
        self._good: list[NDArray[Any]] = []
        self._others: list[tuple[Stray, NDArray[Any]]] = []

    @property
    def receipts(self) -> int:
        """Distinct payments with a receipt."""
        return len(self._told_ids)

    def admitted(self) -> int:
        """Distinct payments with a receipt or on the topic."""
        return len(np.union1d(self._told_ids, joined(self._ids, 32)))

    def again(self) -> int:
        """How many places more than payments the receipts name."""
        return len(self._told_places) - len(self._told_ids)

    def take(self, chunk: Chunk) -> None:
        """Look at the records of a chunk; marks are the gate's own and are passed over."""
        rows, ids, times = _events(chunk)
        if not len(rows):
            return
        digests = keyed_digests(self._key, ids)
        places = _placed(digests, np.full(len(rows), chunk.tp[1]), chunk.offsets[rows])
        values = keyed_digests(self._key, chunk.values.take(rows))
        known = among(places, self._told_places)
        self._ids.append(digests)
        self._good.append(values[known])
        texts = ids.text()
        for row in np.flatnonzero(~known).tolist():
            stray = Stray(texts[row] or "", chunk.tp[1], int(chunk.offsets[rows[row]]), int(times[row]))
            self._others.append((stray, values[row : row + 1]))

    def strays(self) -> list[Stray]:
        """Records without a receipt, but for repeats: a record published again after a crash has the bytes of the one with a receipt."""
        if not self._others:
            return []
        repeats = among(np.concatenate([value for _, value in self._others]), np.unique(joined(self._good, 32)))
        return [stray for (stray, _), repeat in zip(self._others, repeats.tolist(), strict=True) if not repeat]

    def _digested(self, receipts: list[Receipt]) -> tuple[NDArray[Any], NDArray[Any]]:
        ids = keyed_digests(self._key, Strings.of([one.event_id for one in receipts]))
        partitions = np.array([one.eb_ref.partition for one in receipts], np.int64)
        return ids, _placed(ids, partitions, np.array([int(one.eb_ref.offset) for one in receipts], np.int64))


def _placed(ids: NDArray[Any], partitions: NDArray[Any], offsets: NDArray[Any]) -> NDArray[Any]:
    """Ids with their places: one opaque item of 40 bytes each."""
    together = np.empty((len(ids), SUMS + 1), np.uint64)
    together[:, :SUMS] = ids.view(np.uint64).reshape(-1, SUMS)
    together[:, SUMS] = (np.asarray(partitions, np.int64) << 48 | np.asarray(offsets, np.int64)).view(np.uint64)
    return together.view("V40").reshape(-1)


def _events(chunk: Chunk) -> tuple[NDArray[np.int64], Strings, NDArray[np.int64]]:
    """Rows of the chunk that are no mark, with their event ids and times; what is no payment goes by its place, as the lane's dead letters
    do."""
    values = resolve(chunk.values)
    types = split(values)
    decoded = decode(plan_of("payment", _FIELDS), values.data, values.starts, values.lengths, HEADER_BYTES)
    found = decoded.columns["event_id"]
    assert isinstance(found, Strings)
    payment = (types == type_index("payment")) & (decoded.verdict == 0)
    rows = np.flatnonzero(payment | ((types != type_index("mark")) & (values.lengths >= 0)))
    times = np.where(payment, np.asarray(decoded.columns["ts_utc"]), NO_PAYMENT_US)[rows]
    if payment[rows].all():
        return rows, found.take(rows), times
    paid = np.flatnonzero(payment)
    named = dict(zip(paid.tolist(), found.take(paid).text(), strict=True))
    return rows, Strings.of([named.get(row) or f"{chunk.tp}@{chunk.offsets[row]}" for row in rows.tolist()]), times


def _judge(
    strays: Sequence[Stray], standing: Callable[[Sequence[str]], Standing], run_id: str
) -> tuple[int, list[Stray], list[Stray], str]:
    """(claimed and never settled, settled there and without a receipt, unknown to the index, why the index was not asked)."""
    unsettled, gone, strangers = 0, list[Stray](), list[Stray]()
    for first in range(0, len(strays), ASKED_AT_ONCE):
        asked = strays[first : first + ASKED_AT_ONCE]
        try:
            known = standing([stray.event_id for stray in asked])
        except psycopg.Error as error:
            return 0, [], [], _silent(error)
        for stray in asked:
            claim = known.get(dedupe_key(run_id, TRAFFIC, stray.event_id))
            if claim is not None and (not claim[0] or claim[2] is None):
                unsettled += 1
            elif claim is not None and claim[1:] == (stray.partition, stray.offset):
                gone.append(stray)
            else:
                strangers.append(stray)
    return unsettled, gone, strangers, ""


def _silent(error: psycopg.Error) -> str:
    return f"the gate's index does not answer: {str(error).strip() or type(error).__name__}"


def _standing(run: Run, events: Sequence[str]) -> Standing:
    keys = [dedupe_key(run.platform_run_id, TRAFFIC, event) for event in events]
    rows = _asked(run, lambda connection: connection.execute(_STANDING, (keys,)).fetchall())
    return {bytes(key): (settled, partition, offset) for key, settled, partition, offset in rows}


def _ambiguous(run: Run) -> int:
    return _asked(run, lambda connection: unknown_events(connection, run.platform_run_id))


def _asked(run: Run, question: Callable[[Connection], T]) -> T:
    dsn = run.reader_dsn or run.dsn
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            return question(connection)
    except psycopg.Error as error:
        raise psycopg.OperationalError(told(error, dsn)) from None  # without the password
