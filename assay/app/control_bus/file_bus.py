"""A control bus in a folder: `<root>/<topic>/<message_id>.json`, each file written once. For a laptop and for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from assay.app.control_bus.port import BEGIN, ControlMessage, Published, number_of, refuse_unplain, unwrapped, wrapped
from assay.app.stores.durable import create_file, make_directory
from assay.app.stores.file_lock import writer_lock


class FileControlBus:
    """Writers take turns, and none is given an earlier time than what is there: messages are in the order of `published_at_utc`.

    `now_us` is the wall clock in microseconds. A position is the time of a message.
    """

    def __init__(self, root: Path, topic: str, now_us: Callable[[], int]) -> None:
        self._root, self._topic, self._now_us = root, topic, now_us
        self._folder = root / topic

    def publish(self, message: ControlMessage) -> None:
        """As `ControlBus.publish`. Raises Retry(DIRECTORY_BUSY) while another writer sleeps."""
        refuse_unplain(message)
        make_directory(self._folder, self._root)
        file = self._folder / f"{message.message_id}.json"
        with writer_lock(self._folder / ".lock"):
            if not file.exists():
                last_us = max((found.published_at_us for found in self._all()), default=0)
                at_us = max(self._now_us(), last_us + 1)  # a clock may go back
                create_file(file, wrapped(self._topic, message, at_us))

    def read(self, position: str = BEGIN) -> Iterator[Published]:
        """As `ControlBus.read`. Raises Stop(CONTROL_MESSAGE_INVALID) for a file that is no message."""
        after = number_of(position)
        found = sorted(self._all(), key=lambda published: published.published_at_us)
        return (published for published in found if published.published_at_us > after)

    def _all(self) -> Iterator[Published]:
        for file in self._folder.glob("*.json"):
            if not file.name.startswith("."):
                found = unwrapped(file.read_bytes(), "", str(file))
                yield found._replace(position=str(found.published_at_us))
