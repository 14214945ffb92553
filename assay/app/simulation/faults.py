"""What can go wrong, as values: each fault happens to one lane at one boundary, and any number of them go together."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

#: where a fault can happen to a process; between two of them nothing of it can be seen from outside
BOUNDARIES = (
    "recovering",
    "claiming",
    "fetched",
    "journal_sent",
    "journal_acknowledged",
    "computed",
    "effects_asked",
    "effects_executed",
    "outputs_sent",
    "outputs_acknowledged",
    "committed",
    "snapshotting",
)
#: what can be damaged of a snapshot, and how
DAMAGES = ("part_cut_off", "part_flipped", "part_missing", "manifest_cut_off", "manifest_flipped")
#: what happens while a slow snapshot is written
OVERTAKINGS = ("crash", "claim", "truncation")


class Crash(NamedTuple):
    """The process is gone at once. What it had sent and the log had not taken arrives up to some record, or not at all."""


class Freeze(NamedTuple):
    """The process stands still and goes on later, as one that believes it still owns its lane.

    Another one is started when the group misses it. `unsent`: what it had under way leaves its machine only when it goes on.
    """

    us: int
    unsent: bool


class CutOff(NamedTuple):
    """The process reaches neither broker nor object store for this long, and goes on working: what it sends arrives later.

    Another one is started when the group misses it.
    """

    us: int


class Rival(NamedTuple):
    """Another process starts as owner of the lane while this one goes on."""


class FailedProduce(NamedTuple):
    """The next write of the process is refused, and so is what it sends to that partition afterwards."""


class UnknownProduce(NamedTuple):
    """The next write of the process has arrived or not, and it is told of an error after this long, never of the truth."""

    arrives: bool
    silent_us: int


class ClockJump(NamedTuple):
    """The wall clock of the machine is set forwards or backwards."""

    us: int


class Poison(NamedTuple):
    """A record that nobody can read is published to an input of the lane: `garbage`, `truncated` or of an `unknown_schema`."""

    kind: str


class Duplicate(NamedTuple):
    """Fetches deliver again this many records before the position: each fetch of a topic, or the next one of every partition."""

    records: int
    handle: str = ""


class Delay(NamedTuple):
    """Records of a topic, or of all inputs of the lane, are not delivered for this long."""

    us: int
    handle: str = ""


class Reorder(NamedTuple):
    """Fetches take partitions in random order and random sizes, at most this many records at once, for this long (0: always)."""

    records_max: int
    us: int = 0


class TornSnapshot(NamedTuple):
    """Power fails: all processes of the lane are gone, and its newest snapshot is not what was written (one of `DAMAGES`).

    Objects of writes that were not known to have ended are gone, too, unless they were made durable since.
    It happens once there is another snapshot before that one; until then it waits for the boundary to come again.
    """

    damage: str


class SlowSnapshot(NamedTuple):
    """The next snapshot of the lane takes this long to write, and is overtaken meanwhile (one of `OVERTAKINGS`).

    The writer crashes, is given the lane, or the journal is truncated. It happens when the snapshot is written.
    """

    us: int
    overtaken_by: str


Fault: TypeAlias = (
    Crash | Freeze | CutOff | Rival | FailedProduce | UnknownProduce | ClockJump | Poison | Duplicate | Delay | Reorder
    | TornSnapshot | SlowSnapshot
)  # fmt: skip
FAULTS: tuple[type[Fault], ...] = (
    Crash, Freeze, CutOff, Rival, FailedProduce, UnknownProduce, ClockJump, Poison, Duplicate, Delay, Reorder,
    TornSnapshot, SlowSnapshot,
)  # fmt: skip


class Planted(NamedTuple):
    """A fault that happens when a lane comes to a boundary for the n-th time, counting from 1 over all its processes.

    Without a boundary it happens to all lanes before they start.
    """

    fault: Fault
    lane: str = ""
    boundary: str = ""
    occurrence: int = 0
