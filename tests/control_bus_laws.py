"""What every control bus keeps to: laws as functions of a maker, which opens the same empty bus for each writer and reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from oracles.examples import examples
from small_runs import pins

from assay.app.bus.record_view import plain
from assay.app.control_bus.port import ControlBus, ControlMessage, Published
from assay.app.runner.signals import run_ready
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Maker = Callable[[], ControlBus]
Law = Callable[[Maker], None]
LAWS: list[Law] = []
RUNS = ("platform_20260101T000000Z", "platform_20260102T000000Z")


def law(function: Law) -> Law:
    """List a law."""
    LAWS.append(function)
    return function


def message(number: int, run: str = RUNS[0], **attributes: str) -> ControlMessage:
    """The n-th message of a run: a READY, told apart by its bundle."""
    record = run_ready(replace(pins(), platform_run_id=run), "6" * 32, 1_000_000 + number, bytes(32), f"{number:064x}", f"facts/{number}")
    return ControlMessage(str(record["event_id"]), run, plain(record), {"kind": "READY", "run_id": run, **attributes})


def ids(found: list[Published]) -> list[str]:
    """The ids of messages, in their order."""
    return [one.message.message_id for one in found]


@law
def a_message_comes_back_as_it_was_published(open_bus: Maker) -> None:
    bus, sent = open_bus(), message(0, note="Größe \u2028 ☃")
    bus.publish(sent)
    (found,) = open_bus().read()
    assert found.message == sent
    assert found.topic.endswith("fp.bus.control.v1")
    assert found.published_at_us > 0


@law
def a_signal_that_a_run_ended_comes_back_as_it_was_published(open_bus: Maker) -> None:
    payload = next(one.value for one in examples("run_terminal_signal") if one.reason is None)
    sent = ControlMessage(payload["event_id"], payload["run_id"], payload, {"kind": "TERMINAL", "run_id": payload["run_id"]})
    open_bus().publish(sent)
    assert [found.message for found in open_bus().read()] == [sent]


@law
def a_message_that_is_published_twice_has_one_effect(open_bus: Maker) -> None:
    bus, reader = open_bus(), open_bus()
    bus.publish(message(0))
    assert ids(list(reader.read())) == ids(list(bus.read())) == [message(0).message_id]
    bus.publish(message(1))
    for writer in (bus, open_bus()):  # the second stands for a writer that starts again
        writer.publish(message(0, note="again"))
    for late in (bus, reader, open_bus()):
        assert [found.message for found in late.read()] == [message(0), message(1)]


@law
def messages_of_a_run_keep_their_order(open_bus: Maker) -> None:
    bus = open_bus()
    for number in range(7):
        for run in RUNS:
            bus.publish(message(number, run))
    for reader in (bus, open_bus()):
        for run in RUNS:
            mine = [found.message for found in reader.read() if found.message.partition_key == run]
            assert mine == [message(number, run) for number in range(7)]


@law
def a_reader_goes_on_from_a_position(open_bus: Maker) -> None:
    bus = open_bus()
    for number in range(4):
        bus.publish(message(number))
    whole = list(bus.read())
    for at, found in enumerate(whole):
        for reader in (bus, open_bus()):  # the second stands for a reader that starts again
            assert list(reader.read(found.position)) == whole[at + 1 :]


@law
def a_message_again_is_no_news_behind_a_position(open_bus: Maker) -> None:
    bus = open_bus()
    bus.publish(message(0))
    bus.publish(message(1))
    last = list(bus.read())[-1].position
    bus.publish(message(0))
    assert list(bus.read(last)) == list(open_bus().read(last)) == []
    bus.publish(message(2))
    assert ids(list(open_bus().read(last))) == [message(2).message_id]


@law
def a_reader_that_begins_late_gets_all(open_bus: Maker) -> None:
    assert list(open_bus().read()) == []
    for number in range(3):
        open_bus().publish(message(number))
    assert ids(list(open_bus().read())) == [message(number).message_id for number in range(3)]


@law
def a_reader_beside_many_writers_misses_and_repeats_nothing(open_bus: Maker) -> None:
    def write(first: int) -> None:
        bus = open_bus()
        for number in range(12):
            bus.publish(message(first + number))

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 6, 12)]  # they share half of their messages
    for writer in writers:
        writer.start()
    reader, position, found = open_bus(), "", list[str]()
    while True:
        ended = not any(writer.is_alive() for writer in writers)
        for one in reader.read(position):
            position, found = one.position, [*found, one.message.message_id]
        if ended:
            break
    assert len(found) == len(set(found))
    assert set(found) == {message(number).message_id for number in range(24)}
    assert found == ids(list(open_bus().read()))


@law
def threads_share_one_bus(open_bus: Maker) -> None:
    """Each writes messages of its own run, and reads beside the others; nothing is missed, repeated or out of order."""
    bus = open_bus()

    def write_and_read(run: str) -> None:
        for number in range(6):
            bus.publish(message(number, run))
            mine = [found.message for found in bus.read() if found.message.partition_key == run]
            assert mine == [message(at, run) for at in range(number + 1)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_and_read, [f"platform_2026010{day}T000000Z" for day in range(1, 5)]))
    found = ids(list(bus.read()))
    assert len(found) == len(set(found)) == 24
    assert found == ids(list(open_bus().read()))


@law
def an_id_that_is_no_plain_name_is_refused(open_bus: Maker) -> None:
    bus = open_bus()
    for wrong in ("", ".hidden", "../up", "a/b", "a b", "x" * 129, "ä"):
        with pytest.raises(Stop) as refused:
            bus.publish(message(0)._replace(message_id=wrong))
        assert refused.value.reason is Reason.VALUE_NOT_CANONICAL
    assert list(bus.read()) == []


@law
def a_position_of_another_bus_is_refused(open_bus: Maker) -> None:
    with pytest.raises(Stop) as refused:
        list(open_bus().read("shard-0:7"))
    assert refused.value.reason is Reason.VALUE_NOT_CANONICAL
