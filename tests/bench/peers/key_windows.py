"""Workload W in plain Python, made for speed: what the tuned Faust and the Quix Streams peer keep of a key, read and answer.

Imports nothing of assay: one of them runs in a virtual environment of its own.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import fastavro
import orjson

KEYS: Final = (b"account", b"card", b"merchant", b"device", b"ip")
ACCOUNT, MERCHANT = KEYS[0], KEYS[2]
DAY: Final = 1
NEVER: Final = -(1 << 63)
HEADER_BYTES: Final = 10
#: places in the array: the latest time, the newest bucket of each window, count and sum of each, and count and sum of each bucket
LAST, NEWEST, TOTALS, CELLS = 0, 1, 4, 10
#: bucket width in µs, buckets, places of the newest bucket, of the totals and of the first cell: 1 h, 24 h, 7 d
WINDOWS: Final = (
    (300_000_000, 12, NEWEST, TOTALS, CELLS),
    (3_600_000_000, 24, NEWEST + 1, TOTALS + 2, CELLS + 24),
    (21_600_000_000, 28, NEWEST + 2, TOTALS + 4, CELLS + 72),
)
LENGTH: Final = CELLS + 128
DAY_WIDTH, DAY_BUCKETS = WINDOWS[DAY][:2]
EMPTY: Final = array("q", [NEVER] * 4 + [0] * (LENGTH - 4))
PACKED_BYTES: Final = 8 * LENGTH
ANSWER: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "answer",
        "fields": [
            {"name": "event_id", "type": "string"},
            {"name": "values", "type": {"type": "array", "items": "long"}},
            {"name": "score", "type": "long"},
            {"name": "outcome", "type": "string"},
        ],
    }
)


class KeyWindows:
    """Count and sum over three windows as rings with running totals, and the account's merchants with the hour each was last paid."""

    __slots__ = ("held", "merchants", "pruned")

    def __init__(self) -> None:
        self.held = EMPTY[:]
        self.merchants: dict[str, int] = {}
        self.pruned = NEVER

    def fold(self, ts_us: int, amount: int, values: list[int]) -> None:
        """Seven values before the payment are appended; then the payment is added."""
        held = self.held
        for width, buckets, newest_at, total, first in WINDOWS:
            bucket, newest = ts_us // width, held[newest_at]
            if bucket > newest:
                if held[total]:
                    self._empty(newest, bucket, buckets, total, first)
                held[newest_at] = newest = bucket
            values.append(held[total])
            values.append(held[total + 1])
            if bucket > newest - buckets:
                cell = first + 2 * (bucket % buckets)
                held[cell] += 1
                held[cell + 1] += amount
                held[total] += 1
                held[total + 1] += amount
        last = held[LAST]
        values.append(-1 if last == NEVER else max(ts_us - last, 0))
        if ts_us > last:
            held[LAST] = ts_us

    def _empty(self, newest: int, bucket: int, buckets: int, total: int, first: int) -> None:
        held = self.held
        if bucket - newest >= buckets:
            held[first : first + 2 * buckets] = EMPTY[first : first + 2 * buckets]
            held[total] = held[total + 1] = 0
            return
        for gone in range(newest + 1, bucket + 1):
            cell = first + 2 * (gone % buckets)
            if held[cell]:
                held[total] -= held[cell]
                held[total + 1] -= held[cell + 1]
                held[cell] = held[cell + 1] = 0

    def distinct(self, merchant: str, ts_us: int) -> int:
        """Merchants of 24 h before the payment; then its merchant is noted. The windows have moved already."""
        newest, merchants = self.held[NEWEST + DAY], self.merchants
        if newest != self.pruned:
            self.pruned, oldest = newest, newest - DAY_BUCKETS
            self.merchants = merchants = {name: hour for name, hour in merchants.items() if hour > oldest}
        found, hour = len(merchants), ts_us // DAY_WIDTH
        if hour > newest - DAY_BUCKETS:
            merchants[merchant] = max(merchants.get(merchant, hour), hour)
        return found

    def pack(self) -> bytes:
        """Bytes for a store or a changelog."""
        return self.held.tobytes() + orjson.dumps(self.merchants) if self.merchants else self.held.tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> KeyWindows:
        """What was packed."""
        windows = cls.__new__(cls)
        windows.held = array("q", packed[:PACKED_BYTES])
        windows.merchants = orjson.loads(packed[PACKED_BYTES:]) if len(packed) > PACKED_BYTES else {}
        windows.pruned = windows.held[NEWEST + DAY]
        return windows


class Payment(NamedTuple):
    """What the workload needs of a payment; ids by the name of their entity."""

    event_id: bytes
    ts_us: int
    amount_minor: int
    ids: dict[bytes, bytes]


def read(value: bytes) -> Payment:
    """A payment from its Avro bytes, by hand: a general reader takes four times as long. Its strings are shorter than 64 bytes."""
    length = value[HEADER_BYTES] >> 1
    at = HEADER_BYTES + 1 + length
    event_id = value[at - length : at]
    at += 1 + (value[at] >> 1)  # event_type
    ts_us, at = _number(value, at)
    at += 1 + (value[at] >> 1) + 16 + 32 + 32  # platform_run_id, scenario_run_id, manifest_fingerprint, parameter_hash
    at += 1 + (value[at] >> 1)  # scenario_id
    at = _number(value, at)[1] + 16  # seed, run_id
    at += 1 + (value[at] >> 1) + 32  # producer, payload_hash
    at += 1 + (value[at] >> 1)  # kind
    amount, at = _number(value, at)
    at += 1 + (value[at] >> 1)  # currency
    ids = {}
    items, at = _number(value, at)
    for _ in range(items):
        length = value[at] >> 1
        name, at = value[at + 1 : at + 1 + length], at + 1 + length
        length = value[at] >> 1
        ids[name], at = value[at + 1 : at + 1 + length], at + 1 + length
    return Payment(event_id, ts_us, amount, ids)


def _number(value: bytes, at: int) -> tuple[int, int]:
    one = value[at]
    number, shift = one & 0x7F, 7
    while one > 0x7F:
        at += 1
        one = value[at]
        number |= (one & 0x7F) << shift
        shift += 7
    return number >> 1 ^ -(number & 1), at + 1


def decide(value: bytes, get: Callable[[bytes], bytes | None], put: Callable[[bytes, bytes], Any]) -> tuple[bytes, bytes]:
    """(account, answer) of one payment, its five states taken from and given back to a store of packed states."""
    payment = read(value)
    values: list[int] = []
    found = 0
    for name in KEYS:
        key = name + payment.ids[name]
        packed = get(key)
        windows = KeyWindows() if packed is None else KeyWindows.unpack(packed)
        windows.fold(payment.ts_us, payment.amount_minor, values)
        if name == ACCOUNT:
            found = windows.distinct(payment.ids[MERCHANT].decode(), payment.ts_us)
        put(key, windows.pack())
    values.append(found)
    return payment.ids[ACCOUNT], answer(payment, values)


def answer(payment: Payment, values: list[int]) -> bytes:
    """The answer to a payment as an Avro record; `values` has seven per key in the order of KEYS, and the distinct merchants."""
    points, outcome = score(values, payment.amount_minor)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, ANSWER, {"event_id": payment.event_id.decode(), "values": values, "score": points, "outcome": outcome})
    return out.getvalue()


def score(values: list[int], amount: int) -> tuple[int, str]:
    """The six rules of the workload's policy."""
    points = 30 * (values[7] >= 6) + 25 * (values[8] > 200_000) + 20 * (values[35] >= 8) + 10 * (values[27] == -1) + 15 * (values[28] > 40)
    if values[5] > 0 and float(amount) * float(values[4]) > 5.0 * float(values[5]):
        points += 25
    return points, "QUEUE_REVIEW" if points >= 60 else "STEP_UP" if points >= 30 else "ALLOW"
