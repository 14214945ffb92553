"""What is done to a run: each fault once, in words of the field. Every fault leaves a run that can go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from chaos.posting import BATCH, Poster
from chaos.scene import Scene
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.app.bus.users import BusUser, properties_of
from assay.app.substrate import Server

LONG_AWAY_S = 60.0
RATE_PER_S, LOAD_PER_S = 300, 5_000
JOINS = 5
#: above an index file of the broker, which is laid out with 10 MB
DISK_BYTES, FILLER_BYTES = 16 * 1024 * 1024, 200_000
#: failpoint → the kill is at one of its first so many turns; a lane comes once to those of its start, to others with every journal record
POINTS = {
    "recovering": 2,
    "claiming": 2,
    "before_journal_acknowledged": 12,
    "after_journal_before_produce": 12,
    "after_effects_before_results": 12,
    "after_produce_before_commit": 12,
}
#: a snapshot has a good ten parts, so that the kill is in one of the first two
SNAPSHOT_PARTS = 24

Inject = Callable[[Scene], None]


class Scenario(NamedTuple):
    """A fault. `long` ones are left to `make chaos`; `final` ones end the run, which must be refused.
    `posted` ones get their payments through the gate.
    """

    inject: Inject
    long: bool = False
    final: bool = False
    posted: bool = False


# -- workers


def killed_at(scene: Scene, point: str) -> None:
    """SIGKILL of the active worker while it waits at a failpoint; another one goes on."""
    for member in scene.up():
        member.kill()
    turn = scene.random.randint(1, POINTS[point])
    scene.keep = 0
    armed = scene.start(f"{point}:{turn}")
    scene.until(lambda: armed.marker.exists() or not armed.alive, f"the worker does not come to {point}")
    with scene.marked(f"SIGKILL at {point}"):
        armed.kill()
    scene.note_commits()
    scene.keep = 1
    scene.active()
    scene.goes_on()


def killed_snapshotting(scene: Scene) -> None:
    """SIGKILL of a standby that writes a snapshot, then of the active; the next one starts from a whole snapshot or none."""
    active = scene.active()
    armed = scene.start(f"during_snapshot:{scene.random.randint(1, SNAPSHOT_PARTS)}")
    scene.until(lambda: armed.marker.exists() or not armed.alive, "the standby takes no snapshot")
    with scene.marked("SIGKILL in a snapshot, then of the active"):
        armed.kill()
        active.kill()
    scene.note_commits()
    scene.active()
    scene.goes_on()


def joined_and_left(scene: Scene) -> None:
    """A second worker comes and goes, by SIGTERM and by SIGKILL; the first keeps its lanes all the while."""
    active = scene.active()
    for _ in range(JOINS):
        _, other = scene.pair()
        scene.keep = 1
        with scene.marked("standby leaves"):
            scene.random.choice((partial(scene.stop, other), other.kill))()
        scene.goes_on()
    assert scene.active() is active, "the lanes moved though their owner was there"


def killed_under_load(scene: Scene) -> None:
    """SIGKILL of the active worker with a hot standby beside it, which goes on."""
    active, standby = scene.pair()
    before_per_s, scene.feeder.per_s = scene.feeder.per_s, LOAD_PER_S
    scene.goes_on(LOAD_PER_S)
    with scene.marked(f"SIGKILL of the active at {LOAD_PER_S:,} payments/s"):
        active.kill()
        scene.until(standby.is_active, "the standby does not take over")
    scene.goes_on(LOAD_PER_S)
    scene.feeder.per_s = before_per_s


def frozen(scene: Scene) -> None:
    """SIGSTOP of the active worker; the standby claims; SIGCONT: the old one ends or stands by, and emits nothing new."""
    (active, standby), away_s = scene.pair(), scene.away_s
    with scene.marked(f"SIGSTOP of the active, {away_s:g} s and until the standby goes on"):
        active.freeze()
        time.sleep(away_s)  # how long it stands still is what is tested
        scene.until(standby.is_active, "the standby does not take over")
        scene.goes_on()
        active.thaw()
    scene.until(lambda: not active.alive or active.health().get("lanes") == [], "the old worker goes on owning lanes")
    scene.goes_on()


# -- the broker


def broker_frozen(scene: Scene, away_s: float | None = None) -> None:
    """SIGSTOP of the broker: its port stays open and nothing answers."""
    _without_broker(scene, "frozen", scene.servers.kafka.pause, scene.servers.kafka.resume, away_s or scene.away_s)


def broker_stopped(scene: Scene, away_s: float | None = None) -> None:
    """An orderly stop of the broker and a start later."""
    _without_broker(scene, "stopped", scene.servers.kafka.stop, scene.servers.kafka.start, away_s or scene.away_s)


def _without_broker(scene: Scene, how: str, goes: Callable[[], object], comes: Callable[[], object], away_s: float) -> None:
    scene.active()
    scene.goes_on()
    with scene.marked(f"broker {how} {away_s:g} s and until it answers"):
        goes()
        time.sleep(away_s)  # the length of the outage is what is tested
        comes()
    scene.goes_on()


def broker_killed(scene: Scene) -> None:
    """SIGKILL of the broker, and its start on the same directory."""
    scene.active()
    scene.goes_on()
    with scene.marked("broker SIGKILLed"):
        scene.servers.kafka.kill()
        scene.servers.kafka.start()
    scene.goes_on()


def disk_full(scene: Scene) -> None:
    """No file of the broker can grow beyond a limit: it ends, as on a full disk; started again with room, all goes on."""
    kafka, name = scene.servers.kafka, f"{scene.run.namespace}filler{len(scene.marks)}"  # another each time a run meets this
    scene.active()
    scene.goes_on()
    client: dict[str, str | int | float | bool] = {
        **properties_of(scene.run, BusUser.ADMIN),
        "bootstrap.servers": kafka.address,
        "log_level": 0,
    }
    admin = AdminClient(client)
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    filler = Producer({**client, "message.timeout.ms": 120_000})
    with scene.marked("disk of the broker full"):
        kafka.limit_file_size(DISK_BYTES)
        for _ in range(2 * DISK_BYTES // FILLER_BYTES):
            filler.produce(name, b"x" * FILLER_BYTES)
            filler.poll(0)
        scene.until(lambda: filler.poll(0) >= 0 and not kafka.alive, "the broker takes more than there is room for")
        kafka.start()
    filler.purge()
    scene.goes_on()


# -- PostgreSQL under the gate


def postgres_restarted(scene: Scene) -> None:
    """The gate's database is killed and started again: posts get an answer to try again, and are admitted once."""
    poster = scene.feeder
    assert isinstance(poster, Poster)
    assert scene.servers.postgres is not None
    scene.active()
    scene.goes_on()
    for harm in (scene.servers.postgres.kill, scene.servers.postgres.stop):
        _without_postgres(scene, poster, scene.servers.postgres, harm)
    scene.goes_on()


def _without_postgres(scene: Scene, poster: Poster, postgres: Server, harm: Callable[[], None]) -> None:
    refused, sent = poster.refused.total(), poster.sent
    with scene.marked(f"PostgreSQL: {harm.__name__}"):
        harm()
        scene.until(lambda: poster.refused.total() > refused, "no post was answered with `try again`")
        postgres.start()
    scene.until(lambda: poster.sent > sent + 2 * BATCH, "the gate takes no more posts")


WORKERS: Mapping[str, Scenario] = {
    **{f"killed_{point}": Scenario(partial(killed_at, point=point)) for point in POINTS},
    "killed_snapshotting": Scenario(killed_snapshotting),
    "joined_and_left": Scenario(joined_and_left),
    "killed_under_load": Scenario(killed_under_load),
    "frozen": Scenario(frozen),
}
BROKER: Mapping[str, Scenario] = {
    "broker_frozen": Scenario(broker_frozen),
    "broker_stopped": Scenario(broker_stopped),
    "broker_frozen_60s": Scenario(partial(broker_frozen, away_s=LONG_AWAY_S), long=True),
    "broker_stopped_60s": Scenario(partial(broker_stopped, away_s=LONG_AWAY_S), long=True),
    "broker_killed": Scenario(broker_killed),
    "disk_full": Scenario(disk_full),
}
GATE: Mapping[str, Scenario] = {"postgres_restarted": Scenario(postgres_restarted, posted=True)}
