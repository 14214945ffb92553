"""The control bus in a folder keeps the laws of control buses; what is no message there is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from control_bus_laws import LAWS, Law, ids, message

from assay.app.control_bus.file_bus import FileControlBus
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

TOPIC = topic(CONTROL).name()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_bus_in_a_folder_keeps(law: Law, tmp_path: Path) -> None:
    ticks = itertools.count(1_700_000_000_000_000)
    law(lambda: FileControlBus(tmp_path / "bus", TOPIC, lambda: next(ticks)))


def test_messages_keep_their_order_when_the_clock_goes_back(tmp_path: Path) -> None:
    clock = iter([5_000_000, 4_000_000, 4_000_000, 6_000_000])
    bus = FileControlBus(tmp_path, TOPIC, lambda: next(clock))
    for number in range(4):
        bus.publish(message(number))
    found = list(bus.read())
    assert ids(found) == [message(number).message_id for number in range(4)]
    assert [one.published_at_us for one in found] == [5_000_000, 5_000_001, 5_000_002, 6_000_000]


def test_a_message_is_a_file_of_its_own_in_its_wrapper(tmp_path: Path) -> None:
    FileControlBus(tmp_path, TOPIC, lambda: 1_000_000).publish(message(3))
    held = json.loads((tmp_path / TOPIC / f"{message(3).message_id}.json").read_text(encoding="utf-8"))
    assert list(held) == ["topic", "message_id", "published_at_utc", "attributes", "partition_key", "payload"]
    assert (held["published_at_utc"], held["partition_key"]) == ("1970-01-01T00:00:01.000000Z", "platform_20260101T000000Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '"x"',
        '{"topic": 1}',
        '{"topic":"t","message_id":"m","published_at_utc":"now","attributes":{},"partition_key":"","payload":{}}',
    ],
)
def test_a_file_that_is_no_message_is_refused(tmp_path: Path, text: str) -> None:
    bus = FileControlBus(tmp_path, TOPIC, lambda: 1)
    bus.publish(message(0))
    (tmp_path / TOPIC / "other.json").write_text(text)
    with pytest.raises(Stop) as refused:
        list(bus.read())
    assert refused.value.reason is Reason.CONTROL_MESSAGE_INVALID
    assert refused.value.where.endswith("other.json")
