"""One run under a constant rate of payments: its workers, what is done to it, and the way it comes to rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from chaos.feeding import Feeder
from chaos.posting import KEY, Poster, schema_in
from chaos.promises import broken
from chaos.remains import Commit, Left, commits_now, read_all, watermarks
from chaos.workers import LANES, Member
from lane_worker import committed

from assay.agents.topology import TOPOLOGY
from assay.app.bench.lane import bench_config
from assay.app.bench.readiness import as_live, say_ready
from assay.app.bus.rights import grant
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.app.substrate.postgres import start_postgres
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics_of
from assay.testing import until

RTDL = "FP_BUS_RTDL_V1"
PARTITIONS = 2
DEADLINE_S = 150.0
#: how long a frozen worker or a broker is away
AWAY_S = 20.0
POLL_S = 0.25
#: a run is at rest when nothing was written for this long: an idle lane's notes come one and two seconds after its work
QUIET_S = 2.5
#: decisions and outcomes that show that a lane goes on
SOME = 50
INPUTS = sorted({handle for lane in TOPOLOGY.lanes for handle in lane.ranks})
#: what a worker may end with when a fault meets it
ORDERLY = {
    Reason.PRODUCE_FAILED, Reason.JOURNAL_OFFSET_UNEXPECTED, Reason.AUDIT_CHAIN_BROKEN, Reason.AUDIT_HEAD_MISMATCH,
    Reason.LANE_TAKEN_OVER, Reason.BROKER_UNREACHABLE, Reason.TOPIC_UNKNOWN, Reason.DIRECTORY_BUSY,
}  # fmt: skip


class Servers(NamedTuple):
    """A Kafka and a PostgreSQL that may be harmed."""

    kafka: Server
    postgres: Server | None = None


@contextmanager
def started(room: Path, settings: Settings) -> Iterator[Servers]:
    """Servers of our own, in this directory."""
    with start_kafka(room / "kafka", settings, secured=True) as kafka, start_postgres(room / "postgres", settings) as postgres:
        for server in (kafka, postgres):
            server.deadline_s = DEADLINE_S  # one that was killed has more to do before it answers
        yield Servers(kafka, postgres)


class Mark(NamedTuple):
    """Something that was done, from one time to another, in seconds since the epoch."""

    what: str
    from_s: float
    to_s: float


@dataclass
class Scene:
    """`keep` workers are up at any time: one that ends by itself is followed by another, as a service manager would see to."""

    servers: Servers
    run: Run
    feeder: Feeder | Poster
    random: Random
    keep: int = 1
    away_s: float = AWAY_S
    members: list[Member] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    # -- workers

    def start(self, failpoint: str = "") -> Member:
        """Another worker."""
        self.members.append(Member(self.run, len(self.members), failpoint))
        return self.members[-1]

    def stop(self, member: Member) -> None:
        """SIGTERM. A worker that has answered must end with code 0."""
        member.stop()
        if member.answered and member.exit_code != 0:
            self.problems.append(f"{member.life.name} ended with code {member.exit_code} when it was told to:\n{member.tail()}")

    def up(self) -> list[Member]:
        """Workers whose process is there."""
        return [member for member in self.members if member.alive and member.life.ended_s is None]

    def tend(self) -> None:
        """Note who has ended by itself, and start as many as are missing."""
        for member in self.members:
            if not member.alive and member.life.ended_s is None:
                member.note_end()
                if member.reason() not in ORDERLY:
                    self.problems.append(f"{member.life.name} ended with {member.reason() or 'no reason'}:\n{member.tail()}")
        while len(self.up()) < self.keep:
            self.start()

    def until(self, holds: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait for a condition while the workers are tended."""

        def asked() -> object:
            self.tend()
            return holds()

        try:
            until(asked, deadline_s, every_s=POLL_S)
        except AssertionError as error:
            said = "\n".join(f"{member.life.name}: {member.health()} {member.tail()}" for member in self.members[-3:])
            raise AssertionError(f"{what}: {error}\n{said}") from None

    def active(self) -> Member:
        """The worker that owns every lane, waited for."""
        self.until(self._owner, "no worker owns the lanes")
        return self._owner() or self.active()

    def _owner(self) -> Member | None:
        """The worker that owns every lane. Where workers that started together share the lanes, the others are told to end first."""
        lanes = {member.life.name: member.lanes() for member in self.up()}
        if len([name for name, owned in lanes.items() if owned]) > 1 and sorted(chain(*lanes.values())) == sorted(LANES):
            for member in self.up():
                if lanes.get(member.life.name) and "rtdl/0" not in lanes[member.life.name]:
                    self.stop(member)
        return next((member for member in self.up() if member.is_active()), None)

    def pair(self) -> tuple[Member, Member]:
        """The active worker and a standby that follows it."""
        self.keep = 2
        found: list[tuple[Member, Member]] = []

        def paired() -> bool:
            active = self._owner()
            found[:] = [(active, other) for other in self.up() if active and other is not active and other.follows(active)]
            return bool(found)

        self.until(paired, "no standby follows an active worker")
        return found[0]

    def refused(self, member: Member, *reasons: Reason) -> None:
        """Wait until a worker has ended by itself, and see that it named one of these reasons."""
        self.until(lambda: not member.alive, f"{member.life.name} is not refused")
        member.note_end()
        assert member.life.end in reasons, f"{member.life.name} ended with {member.life.end or 'no reason'}:\n{member.tail()}"

    # -- the run

    def goes_on(self, more: int = SOME) -> None:
        """Wait until this many more records are decided or acted on."""
        target = self.decided() + more
        self.until(lambda: self.decided() >= target, "nothing more is decided")

    def decided(self) -> int:
        """Records on the decisions' topic."""
        return sum(watermarks(self.run, [RTDL]).values())

    def note_commits(self) -> None:
        """What is committed now may not be ahead of the journal."""
        self.commits += commits_now(self.run)

    @contextmanager
    def marked(self, what: str) -> Iterator[None]:
        """Put what happens inside into the timeline."""
        began_s = time.time()
        try:
            yield
        finally:
            self.marks.append(Mark(what, began_s, time.time()))

    def rest(self) -> None:
        """No more payments; wait until everything is decided, acted on, audited and committed, and nothing is written any more."""
        self.feeder.stop()
        last: list[tuple[dict[tuple[str, int], int], float]] = [({}, 0.0)]

        def still() -> bool:
            ends = watermarks(self.run, list(topics_of(self.run.config.traffic)))
            if ends != last[0][0]:
                last[0] = (ends, time.monotonic())
            done = committed(self.run)
            finished = all(done.get(place, 0) == end for place, end in ends.items() if place[0] in INPUTS)
            return finished and time.monotonic() - last[0][1] >= QUIET_S

        self.until(still, "the run does not come to rest", 2 * DEADLINE_S)

    def verdict(self) -> tuple[list[str], Left]:
        """What is wrong, and everything that is left."""
        for member in self.up():
            self.stop(member)
        self.note_commits()
        left = read_all(self.run)
        problems = [*self.problems, *getattr(self.feeder, "problems", ())]
        return [*problems, *broken(self.run, left, self.feeder.acknowledged, self.commits)], left

    def close(self) -> None:
        """Leave no process but the servers, and those up."""
        for server in self.servers:
            if server is not None and not server.alive:
                server.start()
        self.feeder.stop()
        for member in self.members:
            if member.alive:
                member.kill()


def new_scene(servers: Servers, directory: Path, namespace: str, seed: int, per_s: int, *, posted: bool = False) -> Scene:
    """A run with its topics, not fed yet and without workers."""
    dsn = schema_in(servers.postgres.address) if posted and servers.postgres else ""
    wiring: dict[str, Any] = {
        "namespace": namespace,
        "bootstrap": servers.kafka.address,
        "bus_users": servers.kafka.users,
        "dsn": dsn,
        "api_key": KEY,
        "partitions": PARTITIONS,
    }
    run = Run(directory=directory, config=as_live(bench_config()) if posted else bench_config(), **wiring)
    run.save()
    create_topics(run.bootstrap, run.namespace, PARTITIONS, properties_of(run, BusUser.ADMIN))
    grant(run)
    if posted:
        say_ready(run)
    return Scene(servers, run, Poster(run, per_s) if posted else Feeder(run, per_s), Random(seed))
