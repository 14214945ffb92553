"""Workload W: card payments with five keys, the shape every contestant of `assay bench lane` works on.

Keys are beta-skewed (few very busy ones), one payment in a hundred comes up to two minutes late, amounts are lognormal.
The same events come as payment records of the bus and, for peers that read JSON, as documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from assay.app.run.directory import RunConfig
from assay.codecs.avro_bind import Constant
from assay.codecs.columns import I64, Columns, Ragged, Strings
from assay.codecs.digests import sha256_rows
from assay.codecs.single_object import encoder_of, pins_body
from assay.contracts import instants
from assay.contracts.pins import Pins

#: entity → how many ids it is drawn from; in the order of names the gate writes
ENTITIES: Final = {"account": 10_000, "card": 15_000, "device": 8_000, "ip": 6_000, "merchant": 2_000}
START_US: Final = 1_750_000_000_000_000
#: mean time between payments: 200,000 of them span more than ten days, so windows of every length empty as well as fill
STEP_MS: Final = 4_500
LATE_SHARE: Final = 0.01
LATE_MAX_MS: Final = 120_000
AMOUNT_MINOR_MAX: Final = 5_000_000
_BLOCK: Final = 20_000
_NUMBER_CHARS: Final = 8


class Payments(NamedTuple):
    """n payments: times int64 µs, one int64 number per entity, amounts int64 minor units."""

    ts_us: I64
    numbers: dict[str, I64]
    amount_minor: I64


def draw(count: int, seed: int = 7, step_ms: int = STEP_MS) -> Payments:
    """The first payments of the workload, `step_ms` apart on average."""
    random = np.random.default_rng(seed)
    at_ms = np.cumsum(random.integers(0, 2 * step_ms, count)).astype(np.int64)
    late = random.random(count) < LATE_SHARE
    at_ms -= np.where(late, random.integers(0, LATE_MAX_MS, count), 0)
    numbers = {name: (random.beta(0.6, 3.0, count) * size).astype(np.int64) for name, size in ENTITIES.items()}
    amount = np.minimum(random.lognormal(8, 1.2, count), AMOUNT_MINOR_MAX).astype(np.int64) + 1
    return Payments(START_US + at_ms * 1_000, numbers, amount)


def event_ids(start: int, stop: int) -> list[str]:
    """Ids without order, as a gate's clients send them."""
    return [f"{i * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF:016x}-{i:0{_NUMBER_CHARS}d}" for i in range(start, stop)]


def numbers_of(ids: Strings) -> I64:
    """Which payment each id is of."""
    return np.array([int(one[-_NUMBER_CHARS:]) for one in ids.tolist() if one], np.int64)


def records(payments: Payments, pins: Pins, run_id: str, first: int = 0) -> Iterator[tuple[Strings, Strings]]:
    """(keys, values) of payment records as the gate publishes them, in blocks. Their ids are numbered from `first` on."""
    for start in range(0, len(payments.ts_us), _BLOCK):
        yield _records(payments, start, min(start + _BLOCK, len(payments.ts_us)), pins, run_id, first)


def pairs(payments: Payments, config: RunConfig) -> list[tuple[bytes | None, bytes]]:
    """All records of a run as (key, value)."""
    blocks = records(payments, config.pins, config.run_id)
    return [(key, value or b"") for keys, values in blocks for key, value in zip(keys.tolist(), values.tolist(), strict=True)]


def documents(payments: Payments) -> Iterator[bytes]:
    """The same payments as JSON."""
    for start in range(0, len(payments.ts_us), _BLOCK):
        stop = min(start + _BLOCK, len(payments.ts_us))
        texts = [_ids(name, payments.numbers[name][start:stop]) for name in ENTITIES]
        times, amounts = payments.ts_us[start:stop].tolist(), payments.amount_minor[start:stop].tolist()
        for event_id, ts_us, amount, *ids in zip(event_ids(start, stop), times, amounts, *texts, strict=True):
            yield orjson.dumps({"event_id": event_id, "ts_us": ts_us, "amount_minor": amount, **dict(zip(ENTITIES, ids, strict=True))})


def envelopes(payments: Payments, config: RunConfig) -> Iterator[dict[str, Any]]:
    """The same payments as clients of a run's gate post them: with digests for ids, so that none reads as a card number."""
    scope = {**config.pins.as_json(), "run_id": config.run_id, "producer": "bench"}
    for text in documents(payments):
        paid = orjson.loads(text)
        payload = {"kind": "purchase", "amount_minor": paid["amount_minor"], "currency": "EUR", "attributes": {"channel": "ecom"}}
        payload["entities"] = {name: paid[name] for name in ENTITIES}
        head = {"event_id": _digest_id(paid["event_id"]), "event_type": "AUTH_REQUEST", "schema_version": "v1"}
        yield {**head, "ts_utc": instants.text(paid["ts_us"]), **scope, "payload": payload}


def _digest_id(event_id: str) -> str:
    """An id of 64 hex digits that ends as this one; see `numbers_of`."""
    return hashlib.sha256(event_id.encode()).hexdigest()[:-_NUMBER_CHARS] + event_id[-_NUMBER_CHARS:]


def _records(payments: Payments, start: int, stop: int, pins: Pins, run_id: str, first: int) -> tuple[Strings, Strings]:
    n = stop - start
    events = Strings.of(event_ids(first + start, first + stop))
    ids = {name: Strings.of(_ids(name, payments.numbers[name][start:stop])) for name in ENTITIES}
    columns: Columns = {
        "event_id": events,
        "ts_utc": payments.ts_us[start:stop],
        # what the gate hashes is not built here; any hash costs a lane the same
        "payload_hash": sha256_rows(b"workload_w", events.data, events.starts, events.lengths),
        "source_order": np.arange(first + start, first + stop),
        "amount_minor": payments.amount_minor[start:stop],
        "entities": _lists(ids),
        "attributes": Ragged(np.arange(n + 1, dtype=np.int64), {"key": Strings.repeat(b"channel", n), "value": Strings.repeat(b"ecom", n)}),
    }
    constants: dict[str, Constant] = {"pins": pins_body(pins.as_avro()), "run_id": bytes.fromhex(run_id), "event_type": b"AUTH_REQUEST"}
    constants |= {"producer": b"bench", "kind": b"purchase", "currency": b"EUR"}
    return ids["account"], encoder_of("payment", constants).encode(columns)


def _lists(ids: dict[str, Strings]) -> Ragged:
    """One list of (name, id) per row from one column per name."""
    n, width = len(ids["account"].lengths), len(ids)
    joined = Strings.of([value for column in zip(*(ids[name].tolist() for name in ids), strict=True) for value in column])
    return Ragged(np.arange(n + 1, dtype=np.int64) * width, {"name": Strings.of(list(ids) * n), "id": joined})


def _ids(name: str, numbers: I64) -> list[str]:
    """Ids as long as such ids are."""
    values = numbers.tolist()
    if name == "ip":
        return [f"10.{v >> 16}.{v >> 8 & 255}.{v & 255}" for v in values]
    form = {"account": "A{:09d}", "card": "C{:012d}", "merchant": "M{:07d}", "device": "D{:015x}"}[name]
    return [form.format(v) for v in values]
