"""One script of appends, failures and fencing, for any log that has the driver's ports: what it is told must not depend on the log.

Two workers of the product's own driver write the same lane; what they are told, what the log holds at the end and what a standby
reads of it comes out as plain values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

import numpy as np
from simulated_worlds import config, inputs, small_world

from assay.agents.lane import LaneMachine
from assay.agents.step import Chunk, TopicPartition
from assay.agents.topology import TOPOLOGY
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.lane.driver import LaneDriver
from assay.app.lane.ports import Journal, Outputs
from assay.app.run.failpoints import Failpoints
from assay.codecs.columns import Strings
from assay.contracts.errors import AssayError

#: a broker takes no record from the future
WALL_US = 1_767_225_600_000_000
#: what the journals of the script take; a larger record is refused
RECORD_BYTES_MAX = 200_000
TOO_LARGE = bytes(range(256)) * (RECORD_BYTES_MAX // 128)
DEADLINE_S, POLL_S = 60.0, 0.01
JOURNAL, RTDL = "FP_JOURNAL_RTDL_V1", "FP_BUS_RTDL_V1"


class Log(Protocol):
    """A log under the script. Each port is that of a worker of its own."""

    def journal(self, name: str) -> Journal:
        """A port of the only partition of this journal."""

    def outputs(self) -> Outputs:
        """A port for what lanes emit."""

    async def lose(self, journal: Journal) -> None:
        """End the worker of this port with what it has under way: that lands in the log or not, and nobody is told."""

    async def read(self, handle: str) -> list[bytes]:
        """All values of a topic with one partition."""


class Told(NamedTuple):
    """What a call gave: a value, or the reason it was refused for."""

    value: object
    refused: str = ""


async def appends(log: Log) -> list[object]:
    """Offsets, reading back, an empty partition, a standby, and a record that is refused with those behind it."""
    first, second, standby = (log.journal("appends") for _ in range(3))
    for journal in (first, second):
        await journal.start()
    told: list[object] = [await _whole(first), await first.read_between(0, 0)]
    told.append(await asyncio.gather(*[await first.append(b"%d" % number, 1) for number in range(5)]))
    told += [await _whole(first), await _whole(first), await second.read_between(1, 4)]
    told.append(await (await second.append(b"from another", 1)))
    told.append(await (await first.append(b"behind it", 1)))
    told.append(await _followed(standby, 7))
    refused, behind = await first.append(TOO_LARGE, 1), await first.append(b"behind what was refused", 1)
    told += [await _told(refused), await _told(behind)]
    told.append(await (await second.append(b"of whom nothing was refused", 1)))
    told += [await _whole(first), await _followed(standby, 1)]
    for journal in (first, second):
        await journal.close()
    return told


async def unknown(log: Log) -> list[object]:
    """A record whose writer is gone before it hears of it: the next one finds it or not, and goes on behind."""
    first, second = log.journal("unknown"), log.journal("unknown")
    for journal in (first, second):
        await journal.start()
    told: list[object] = [await (await first.append(b"known", 1))]
    lost = asyncio.ensure_future(await first.append(b"unknown", 1))
    lost.cancel()
    await log.lose(first)
    told += [await (await second.append(b"after it", 1)), await _whole(second)]
    await second.close()
    return told


async def fencing(log: Log) -> list[object]:
    """Workers own one lane one after another: the later claim counts, the record of the one before it emits nothing."""
    told: list[object] = []
    old, new, standby = (_driver(log) for _ in range(3))
    await old.recover()
    await _runs(old, 0, 3)
    following = asyncio.create_task(standby.follow())
    await new.recover()
    told += [_stand(old), _stand(new), (await _told(_runs(old, 3, 5))).refused]
    emitted = await log.read(RTDL)
    await _runs(new, 0, 5)
    await _runs(new, 5, 8)
    told += [_stand(new), len(emitted), len(await log.read(RTDL))]
    told.append(await standby.recover(lambda: False))  # given to another worker meanwhile: it writes nothing, and stands by
    await following
    following = asyncio.create_task(standby.follow())
    await standby.recover()
    await following
    told += [_stand(standby), (await _told(_runs(new, 8, 10))).refused]
    await _runs(standby, 0, 10)
    told.append(_stand(standby))
    for driver in (old, new, standby):
        await driver.close()
    return [*told, await log.read(JOURNAL), await log.read(RTDL)]


# -- lanes


def _driver(log: Log) -> LaneDriver:
    machine = fold_machine_of(TOPOLOGY.lane("rtdl"), config(), partition_counts(1), code=bytes(32))
    return LaneDriver(machine, log.journal(JOURNAL), log.outputs(), lambda: WALL_US, Failpoints())


def _stand(driver: LaneDriver) -> tuple[object, ...]:
    """How far a worker is: in its journal, in its input, and with its outputs."""
    return driver.next_offset, sorted(driver.position().items()), sorted(driver.committable().items())


def _chunks(begin_tenths: int, end_tenths: int) -> list[Chunk]:
    """A part of the input of a small world, of each partition."""
    by_place: dict[TopicPartition, list[bytes]] = {}
    for tp, record in inputs(small_world(payments=40), 1):
        by_place.setdefault(tp, []).append(record.value)
    chunks = []
    for tp, values in by_place.items():
        begin, end = (min(len(values), len(values) * tenths // 10) for tenths in (begin_tenths, end_tenths))
        if begin < end:
            chunks.append(Chunk(*tp, np.arange(begin, end, dtype=np.int64), Strings.of(values[begin:end])))
    return chunks


async def _runs(driver: LaneDriver, begin_tenths: int, end_tenths: int) -> None:
    """Feed a part of the input and run until what can be ordered of it is out; raises what the driver raises."""
    for chunk in _chunks(begin_tenths, end_tenths):
        driver.feed(chunk)
    lane, running = driver.machine, asyncio.create_task(driver.run())
    assert isinstance(lane, LaneMachine)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not running.done() and (driver._fed.is_set() or lane.emitted_through < lane._next_sequence - 1):
                await asyncio.wait({running}, timeout=POLL_S)
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# -- what calls give


async def _whole(journal: Journal) -> list[tuple[int, bytes]]:
    return [record async for record in journal.read_all()]


async def _followed(journal: Journal, count: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    async with asyncio.timeout(DEADLINE_S), aclosing(journal.follow()) as arriving:
        async for records in arriving:
            found += records
            if len(found) >= count:
                break
    return found


async def _told(answer: Awaitable[Any]) -> Told:
    try:
        return Told(await answer)
    except AssayError as error:
        return Told(None, error.reason.value)
