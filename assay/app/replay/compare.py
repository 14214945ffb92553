"""Recomputed decisions against decisions on the topic: equal byte for byte, or the first field that differs, by name."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.app.bus.prefetch import prefetched
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Strings
from assay.codecs.keyed_digest import Key, joined, keyed_digests
from assay.codecs.single_object import HEADER_BYTES, plan_of, resolve, split, type_index, unpack
from assay.tables.feature_plan import FeaturePlan

DIFFERENCES_SHOWN = 100
_EVENT = frozenset({"source_event.event_id"})

#: gives the same decisions each time it is called, in batches
Source = Callable[[], Iterable[Strings]]


class Comparison(NamedTuple):
    """`repeated` counts byte-identical copies on the topic: re-emitted after a crash, the same in effect."""

    recomputed: int
    on_topic: int
    repeated: int
    differing: int
    differences: tuple[str, ...]


def decisions_of(values: Strings) -> Strings:
    """The decision records among values of the rtdl topic."""
    values = resolve(values)
    return values.take(np.flatnonzero(split(values) == type_index("decision_response")))


def compare(recomputed: Source, on_topic: Source, plan: FeaturePlan, place: str = "on the topic") -> Comparison:
    """Every decision of one side must be on the other, whatever the order and however often. `place` says in words where the other is.

    Both sides are read again only where they differ, so memory holds 32 bytes per decision: a digest under a key drawn for this
    comparison, under which two different records are taken for equal with a chance of 2^-128.
    """
    key = Key(secrets.token_bytes(32))
    ours, theirs = _both(key, recomputed(), on_topic())
    unique_ours, unique_theirs = np.unique(ours), np.unique(theirs)
    missing = np.setdiff1d(unique_ours, unique_theirs, assume_unique=True)
    extra = np.setdiff1d(unique_theirs, unique_ours, assume_unique=True)
    if len(missing):  # a run that goes on may have written them since
        missing = np.setdiff1d(missing, joined([keyed_digests(key, values) for values in on_topic()], 32))
    sides = _Sides(key, recomputed, on_topic, place)
    differing, lines = _differences(sides, missing, extra, plan) if len(missing) or len(extra) else (0, ())
    if len(extra) and not differing:
        differing, lines = len(extra), (f"{len(extra)} decisions {place} were others when they were read again",)
    return Comparison(len(ours), len(theirs), len(theirs) - len(unique_theirs), differing, tuple(lines))


class _Sides(NamedTuple):
    """What is compared, the key of this comparison, and the other side's name."""

    key: Key
    recomputed: Source
    on_topic: Source
    place: str


def _both(key: Key, ours: Iterable[Strings], theirs: Iterable[Strings]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Digests of both sides, each read in a thread of its own and none far ahead of the other."""
    left: list[NDArray[Any]] = []
    right: list[NDArray[Any]] = []
    digest = partial(keyed_digests, key)
    with closing(prefetched(map(digest, ours))) as one, closing(prefetched(map(digest, theirs))) as other:
        for a, b in zip_longest(one, other):
            left += [] if a is None else [a]
            right += [] if b is None else [b]
    return joined(left, 32), joined(right, 32)


def _differences(sides: _Sides, missing: NDArray[Any], extra: NDArray[Any], plan: FeaturePlan) -> tuple[int, Sequence[str]]:
    """How many events differ, and the first of them described, in the order they were processed."""
    left = _Found(sides.key, lambda event, kept: kept < DIFFERENCES_SHOWN).search(sides.recomputed(), missing)
    right = _Found(sides.key, lambda event, kept: event in left.kept or (event not in left.events and kept < 2 * DIFFERENCES_SHOWN))
    right.search(sides.on_topic(), extra)
    only_on_topic = {event: None for event in right.events if event not in left.events}
    if only_on_topic:  # a second decision of an event is shown beside the right one
        again = _Found(sides.key, lambda event, kept: event in right.kept and event in only_on_topic).search(sides.recomputed(), None)
        left.kept |= again.kept
    events = list(left.events | only_on_topic)[:DIFFERENCES_SHOWN]
    return len(left.events | only_on_topic), [_line(event, left.record(event), right.record(event), plan, sides.place) for event in events]


def _line(event: str, ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None, plan: FeaturePlan, place: str) -> str:
    """One event that differs: event, journal record, field and both values."""
    if ours is None:
        return f"event {event}: {place}, but the journal does not give it"
    if theirs is None:
        return f"event {event}: {_place(ours)} gives a decision that is not {place}"
    path, left, right = next(iter(_fields(ours, theirs, "")))
    return f"event {event}: {_place(ours)}: {_named(path, plan)} is {left!r} recomputed, {right!r} {place}"


class _Found:
    """Events of one side's decisions that were searched for, in order, and the bytes of those worth keeping.

    `keep(event, kept)` says whether to keep an event's decision when so many are kept.
    """

    def __init__(self, key: Key, keep: Callable[[str, int], bool]) -> None:
        self.events: dict[str, None] = {}
        self.kept: dict[str, bytes] = {}
        self._key, self._keep = key, keep

    def search(self, batches: Iterable[Strings], wanted: NDArray[Any] | None) -> _Found:
        """Decisions with a wanted digest; all of them for None."""
        for values in batches:
            hit = slice(None) if wanted is None else np.isin(keyed_digests(self._key, values), wanted)
            index = np.arange(len(values.lengths))[hit]
            if len(index):
                self._note(values.take(index))
        return self

    def record(self, event: str) -> Mapping[str, Any] | None:
        """The decision of an event, unpacked."""
        return unpack(self.kept[event])[1] if event in self.kept else None

    def _note(self, values: Strings) -> None:
        ids = decode(plan_of("decision_response", _EVENT), values.data, values.starts, values.lengths, HEADER_BYTES).columns
        events = ids["source_event.event_id"]
        assert isinstance(events, Strings)
        for row, event in enumerate(events.text()):
            assert event is not None, "the schema has no null here"
            if event not in self.events and self._keep(event, len(self.kept)):
                self.kept[event] = values.row(row) or b""
            self.events[event] = None


def _place(record: Mapping[str, Any]) -> str:
    return f"journal record {record['basis']['sequence']} row {record['row']}"


def _fields(ours: Any, theirs: Any, path: str) -> Iterable[Any]:
    """Leaves that differ. A cause (feature, score, policy) comes before what is hashed from it."""
    if isinstance(ours, dict):
        order = sorted(ours, key=lambda name: (name in ("snapshot_hash", "decision_id", "intent"), name != "features"))
        for name in order:
            yield from _fields(ours[name], theirs.get(name), f"{path}.{name}" if path else name)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            yield from _fields(left, right, f"{path}[{index}]")
    elif ours != theirs:
        yield path, _plain(ours), _plain(theirs)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _named(path: str, plan: FeaturePlan) -> str:
    for prefix, names in (("features.longs[", plan.long_names), ("features.doubles[", plan.double_names)):
        if path.startswith(prefix):
            return f"feature {names[int(path.removeprefix(prefix).rstrip(']'))]}"
    return path
