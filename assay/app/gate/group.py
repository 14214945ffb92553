"""One admission group: the items of the calls that are admitted together, and what becomes of each. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.publication import Publication
from assay.app.gate.standing import RecordMetadata, Standing, Verdict, judge

PUBLISHED = (Verdict.ADMIT, Verdict.REPUBLISH)
#: another process has the event, or nobody knows where it is
HELD = (Verdict.IN_FLIGHT, Verdict.AMBIGUOUS)


class Leader(NamedTuple):
    """The item whose id is on its way: a later one with the same id ends as it does."""

    group: Group
    item: int


class Group:
    """Items admitted together under one batch number, each named by its position.

    `fresh` are the items that claim their id, in the order of their ordinals; `verdicts[i]` is None for a refused item;
    `publication.places[i]` is where item i, or the first event with its id, lies.
    """

    def __init__(self, examined: Sequence[Admissible | RefusedEvent], batch: int) -> None:
        self.examined = examined
        self.batch = batch
        self.fresh: list[int] = []
        self.verdicts: list[Verdict | None] = [None] * len(examined)
        self.publication = Publication(len(examined))
        #: dedupe key → item for everything this group has on its way
        self.leaders: dict[bytes, int] = {}
        self._followers: dict[int, Leader] = {}
        self._authority: dict[int, bytes] = {}

    def gather(self, flights: Mapping[bytes, Group]) -> list[Admissible]:
        """The items that claim their id: the first of each id that is not on its way already, in one of the groups of `flights`."""
        mine, claiming = self.leaders, list[Admissible]()
        for i, item in enumerate(self.examined):
            if isinstance(item, RefusedEvent):
                continue
            key = item.dedupe_key
            ahead = flights.get(key)
            if ahead is not None:
                self._followers[i] = Leader(ahead, ahead.leaders[key])
            elif key in mine:
                self._followers[i] = Leader(self, mine[key])
            else:
                mine[key] = i
                self.fresh.append(i)
                self.verdicts[i] = Verdict.ADMIT
                claiming.append(item)
        return claiming

    def weigh(self, standing: Mapping[int, Standing]) -> None:
        """Judge the claims the index knew already (by ordinal), then the items that follow another."""
        for ordinal, known in standing.items():
            i = self.fresh[ordinal]
            self.verdicts[i] = judge(self._hash(i), known)
            self._authority[i] = known.payload_hash
            self.publication.places[i] = known.place
            item = self.examined[i]
            if isinstance(item, Admissible):
                item.source_order = known.source_order  # what is published again is the record of the first time
                item.ts_us = item.ts_us if known.ts_us is None else known.ts_us
        for i, leader in self._followers.items():
            same, led_by = leader.group.authority(leader.item) == self._hash(i), leader.group.verdicts[leader.item]
            self.verdicts[i] = Verdict.MISMATCH if not same else led_by if led_by in HELD else Verdict.DUPLICATE
            item, first = self.examined[i], leader.group.examined[leader.item]
            if isinstance(item, Admissible) and isinstance(first, Admissible):
                item.ts_us = first.ts_us

    def authority(self, i: int) -> bytes:
        """The payload hash that counts for item i's id: the first one's."""
        return self._authority.get(i) or self._hash(i)

    def again(self) -> list[int]:
        """Ordinals of claims that another batch made, and this one may publish again."""
        return [ordinal for ordinal, i in enumerate(self.fresh) if self.verdicts[i] is Verdict.REPUBLISH]

    def retaken(self, ordinals: Collection[int]) -> None:
        """Only these could be moved to this batch: another process publishes the others again."""
        for ordinal in set(self.again()).difference(ordinals):
            self.verdicts[self.fresh[ordinal]] = Verdict.IN_FLIGHT

    def outgoing(self) -> dict[str, list[int]]:
        """Event class → items to publish, in their order."""
        found: dict[str, list[int]] = {}
        for i in self.fresh:
            item = self.examined[i]
            if self.verdicts[i] in PUBLISHED and isinstance(item, Admissible):
                found.setdefault(item.event_class, []).append(i)
        return found

    def landed(self) -> list[RecordMetadata | None]:
        """Place of each claim by ordinal, once the publication is over; None where it is unknown or was not this batch's to make."""
        for i, leader in self._followers.items():
            self.publication.places[i] = leader.group.publication.places[leader.item]
        return [self.publication.places[i] if self.verdicts[i] in PUBLISHED else None for i in self.fresh]

    def unknown(self) -> int:
        """How many of what this batch published have no place, once the publication is over."""
        return sum(self.verdicts[i] in PUBLISHED and self.publication.places[i] is None for i in self.fresh)

    def published(self) -> bool:
        """Whether this batch has anything to settle."""
        return any(self.verdicts[i] in PUBLISHED for i in self.fresh)

    def _hash(self, i: int) -> bytes:
        item = self.examined[i]
        return b"" if isinstance(item, RefusedEvent) else item.payload_hash
