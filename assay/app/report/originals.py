"""Records at their places on the bus: a lane that sets a row aside has no bytes of it any more, and its letter names the place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from assay.app.bus.topic_reader import TopicRecord, read_records
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.codecs.quarantine import Place

#: records of a handle and partition, from an offset to another one, inclusive
ReadRange = Callable[[str, int, int, int], Iterator[TopicRecord]]


def originals(places: Iterable[Place], read: ReadRange) -> dict[Place, bytes]:
    """The values at these places, as far as the bus still has them. A partition is read once, from the first place to the last."""
    wanted: dict[tuple[str, int], set[int]] = defaultdict(set)
    for place in places:
        wanted[place.handle, place.partition].add(place.offset)
    found = {}
    for (handle, partition), offsets in wanted.items():
        for record in read(handle, partition, min(offsets), max(offsets)):
            if record.offset in offsets and record.value is not None:
                found[Place(handle, partition, record.offset)] = record.value
    return found


def of_run(run: Run) -> ReadRange:
    """How the bus of a run is read. It raises as `read_records`."""

    def read(handle: str, partition: int, first: int, last: int) -> Iterator[TopicRecord]:
        properties = properties_of(run, BusUser.READER)
        return read_records(run.bootstrap, handle, run.namespace, properties, partition=partition, first=first, last=last)

    return read
