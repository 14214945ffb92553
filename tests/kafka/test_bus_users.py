"""A Kafka of ours has a user per component: each may do what the topology says of it, and nobody anything without a password."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from demo_process import Demo, seal
from proven_runs import make_run

from assay.agents.topology import TOPOLOGY
from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.lane_producer import LaneProducer
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.rights import READERS_GROUP, Allowed, allowed, grant, rights_of
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.contracts.consumer_groups import group_of
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.handles import CONTROL, JOURNAL_RTDL, RTDL, TRAFFIC
from assay.contracts.topics import topic, topics

pytestmark = pytest.mark.tier2

COMPONENTS = [user for user in BusUser if user is not BusUser.ADMIN]
#: an answer that does not come is not waited for long
PATIENCE_MS = 5_000
ROWS = 300


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("users") / "kafka"


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with start_kafka(home, load_settings(bus=""), secured=True) as started:
        yield started


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a Kafka of ours, with its topics and rights."""
    made = make_run(tmp_path_factory.mktemp("run")).model_copy(update={"bootstrap": server.address, "bus_users": server.users})
    made.save()
    create_topics(made.bootstrap, made.namespace, 1, properties_of(made, BusUser.ADMIN))
    grant(made)
    return made


def written(run: Run, user: BusUser, handle: str) -> str:
    """Kafka's answer to a record of this user on a topic, empty if it took it."""
    publisher = KafkaPublisher(run.bootstrap, run.namespace, properties_of(run, user), PATIENCE_MS)
    try:
        publisher.publish(handle, [OutboundRecord(b"k", b"\xc3\x01" + b"\0" * 8, 0)])
    except Stop as stop:
        return str(stop)
    return ""


def read(run: Run, user: BusUser, handle: str) -> str:
    """Kafka's answer to a user who reads a topic, empty if it gave the records."""
    try:
        list(read_records(run.bootstrap, handle, run.namespace, properties_of(run, user)))
    except AssayError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("user", COMPONENTS)
def test_a_user_writes_to_the_topics_of_its_declared_records_and_to_no_other(run: Run, user: BusUser) -> None:
    taken = {handle for handle in topics() if not written(run, user, handle)}
    assert taken == {one.handle for one in allowed() if one.user == user and one.verb == "WRITE"}
    refused = [written(run, user, handle) for handle in set(topics()) - taken]
    assert all("authorization failed" in answer.lower() for answer in refused)


@pytest.mark.parametrize(
    ("user", "handle"),
    [(BusUser.GATE, RTDL), (BusUser.GATE, CONTROL), (BusUser.WORKER, TRAFFIC), (BusUser.RUNNER, TRAFFIC), (BusUser.READER, JOURNAL_RTDL)],
)
def test_the_topology_declares_no_such_producer(user: BusUser, handle: str) -> None:
    assert Allowed(user, "WRITE", handle) not in allowed()


@pytest.mark.parametrize("user", [BusUser.READER, BusUser.STREAMER, BusUser.GATE])
def test_a_user_reads_its_declared_topics_and_no_other(run: Run, user: BusUser) -> None:
    given = {handle for handle in (TRAFFIC, RTDL, CONTROL) if not read(run, user, handle)}
    assert given == {one.handle for one in allowed() if one.user == user and one.verb == "READ"} & {TRAFFIC, RTDL, CONTROL}


def test_a_reader_has_a_consumer_group_and_not_that_of_a_lane(run: Run) -> None:
    reader, worker = (KafkaAdmin(run.bootstrap, properties_of(run, user), 5.0) for user in (BusUser.READER, BusUser.WORKER))
    group, names = group_of(run.namespace, run.platform_run_id, TOPOLOGY.lane("rtdl").group, 0), [topic(TRAFFIC).name(run.namespace)]
    assert reader.committed(READERS_GROUP, names) == {}
    assert worker.committed(group, names) == {}
    with pytest.raises(Retry):
        reader.committed(group, names)


ATTEMPTS: dict[str, Callable[[KafkaAdmin, Run], object]] = {
    "make a topic": lambda cluster, _: cluster.create([TopicShape("another", 1)]),
    "delete a topic": lambda cluster, run: cluster.delete([topic(RTDL).name(run.namespace)]),
    "delete records": lambda cluster, run: cluster.delete_records(topic(RTDL).name(run.namespace), 0, 1),
    "change a setting": lambda cluster, run: cluster.set(topic(RTDL).name(run.namespace), "retention.ms", "1"),
    "give rights": lambda cluster, run: cluster.give([right for right in rights_of(run) if right.user == BusUser.WORKER][:1]),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("user", COMPONENTS)
def test_no_component_administers(run: Run, user: BusUser, attempt: str) -> None:
    assert not written(run, BusUser.WORKER, RTDL)
    with pytest.raises(Retry):
        ATTEMPTS[attempt](KafkaAdmin(run.bootstrap, properties_of(run, user), PATIENCE_MS / 1_000), run)


@pytest.mark.parametrize("user", COMPONENTS)
def test_no_component_is_told_the_rights(run: Run, user: BusUser) -> None:
    assert KafkaAdmin(run.bootstrap, properties_of(run, user)).rights(frozenset(BusUser)) == frozenset()


@pytest.mark.parametrize("port", ["broker", "controller"])
@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "admin", "sasl.password": "guessed"},
    ],
    ids=["anonymous", "guessed"],
)
def test_nobody_is_answered_without_a_password(server: Server, home: Path, port: str, properties: dict[str, str]) -> None:
    ports = json.loads((home / "ports.json").read_text())
    with pytest.raises(Retry):
        KafkaAdmin(f"127.0.0.1:{ports[port]}", properties, 3.0).brokers()


def test_the_client_of_lanes_is_refused_as_the_other_one_is(run: Run) -> None:
    async def write(user: BusUser) -> int:
        name = topic(RTDL).name(run.namespace)
        producer = LaneProducer(run.bootstrap, properties_of(run, user), name, 1_000)
        await producer.start()
        try:
            return await (await producer.send(name, 0, b"value", 0))
        finally:
            await producer.close()

    assert asyncio.run(write(BusUser.WORKER)) >= 0
    with pytest.raises(Stop, match="TopicAuthorizationFailed"):
        asyncio.run(write(BusUser.GATE))


def test_what_a_user_needs_no_more_is_taken(run: Run) -> None:
    cluster = KafkaAdmin(run.bootstrap, properties_of(run, BusUser.ADMIN))
    extra = next(iter(rights_of(run)))._replace(user=BusUser.READER, operation="WRITE", kind="TOPIC", name=topic(RTDL).name(run.namespace))
    cluster.set_rights(frozenset(BusUser), rights_of(run) | {extra})
    assert not written(run, BusUser.READER, RTDL)
    grant(run)
    assert "authorization failed" in written(run, BusUser.READER, RTDL).lower()


def test_passwords_stand_in_files_of_their_owner_alone(run: Run, home: Path) -> None:
    passwords = [properties_of(run, user)["sasl.password"] for user in BusUser]
    assert len(set(passwords)) == len(BusUser)
    assert_in_files_of_their_owner(run, home, passwords)
    commands = [" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)]
    assert not [command for command in commands if any(password in command for password in passwords)]


@pytest.mark.timeout(600)
def test_a_run_on_servers_of_its_own_is_proven_and_shows_no_password(tmp_path: Path) -> None:
    world = seal(tmp_path, seed=52, rows=ROWS)
    demo = Demo(tmp_path, world, "", "")
    try:
        demo.finish()
    finally:
        demo.stop()
    demo.assert_as_undisturbed(ROWS)
    run, home = Run.load(demo.directory), demo.directory / "servers" / "kafka"
    assert run.bus_users == str(home / "users")
    passwords = [properties_of(run, user)["sasl.password"] for user in BusUser]
    assert_in_files_of_their_owner(run, home, passwords)
    assert "in the clear" not in demo.log.read_text()
    assert not holds(demo.log, passwords)


def assert_in_files_of_their_owner(run: Run, home: Path, passwords: list[str]) -> None:
    """In those of the users and the broker's own, and nowhere else below the directories of the run and the server."""
    holding = {file for file in [*home.rglob("*"), *run.directory.rglob("*")] if holds(file, passwords)}
    assert holding == {home / "server.properties", *(home / "users" / f"{user}.properties" for user in BusUser)}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holding)


def holds(file: Path, passwords: list[str]) -> bool:
    """Whether a file has one of the passwords in it. Kafka's indexes of offsets are large, and empty."""
    if not file.is_file() or file.suffix in (".index", ".timeindex"):
        return False
    data = file.read_bytes()
    return any(password.encode() in data for password in passwords)
