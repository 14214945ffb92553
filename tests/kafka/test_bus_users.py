"""A Kafka of ours has a user per component: each may do what the topology says of it, and nobody anything without a password."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeAclsRequest
from assay_command import assay
from bus_passwords import assert_in_files_of_their_owner, passwords_of
from proven_runs import make_run

from assay.agents.topology import TOPOLOGY
from assay.app.audit.witnesses import witnesses_of
from assay.app.bus.admin import KafkaAdmin, TopicShape
from assay.app.bus.errors import cause_of
from assay.app.bus.lane_producer import LaneProducer
from assay.app.bus.producer import RecordProducer
from assay.app.bus.properties import aiokafka_arguments
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.rights import READERS_GROUP, Allowed, allowed, grant, rights_of
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.bus.users import BusUser, properties_file, properties_of
from assay.app.gate.publisher import BusPublisher
from assay.app.run.directory import Run
from assay.app.settings import load_settings
from assay.app.substrate import Server
from assay.app.substrate.kafka import start_kafka
from assay.contracts.consumer_groups import group_of
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.exit_codes import USAGE
from assay.contracts.handles import CONTROL, JOURNAL_RTDL, RTDL, TRAFFIC
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic, topics_of
from assay.testing import until

pytestmark = pytest.mark.tier2

COMPONENTS = [user for user in BusUser if user is not BusUser.ADMIN]
#: an answer that does not come is not waited for long
PATIENCE_MS = 5_000
#: any kind, operation or permission, in Kafka's protocol
ANY = 1


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
    there = set(topics_of(run.config.traffic))
    taken = {handle for handle in there if not written(run, user, handle)}
    assert taken == {one.handle for one in allowed() if one.user == user and one.verb == "WRITE"} & there
    refused = [written(run, user, handle) for handle in there - taken]
    assert all("authorization failed" in answer.lower() for answer in refused)


@pytest.mark.parametrize(
    ("user", "handle"),
    [(BusUser.GATE, RTDL), (BusUser.GATE, CONTROL), (BusUser.WORKER, TRAFFIC), (BusUser.RUNNER, TRAFFIC), (BusUser.READER, JOURNAL_RTDL)],
)
def test_the_topology_declares_no_such_producer(user: BusUser, handle: str) -> None:
    assert Allowed(user, "WRITE", handle) not in allowed()


@pytest.mark.parametrize("user", [BusUser.READER, BusUser.STREAMER, BusUser.LABELS, BusUser.GATE])
def test_a_user_reads_its_declared_topics_and_no_other(run: Run, user: BusUser) -> None:
    given = {handle for handle in (TRAFFIC, RTDL, CONTROL) if not read(run, user, handle)}
    assert given == {one.handle for one in allowed() if one.user == user and one.verb == "READ"} & {TRAFFIC, RTDL, CONTROL}


def test_a_reader_has_a_consumer_group_and_not_that_of_a_lane(run: Run) -> None:
    reader, worker = (KafkaAdmin(run.bootstrap, properties_of(run, user), 5.0) for user in (BusUser.READER, BusUser.WORKER))
    group, names = group_of(run.namespace, run.platform_run_id, TOPOLOGY.lane("rtdl").group, 0), [topic(TRAFFIC).name(run.namespace)]
    assert reader.committed(READERS_GROUP, names) == {}
    assert worker.committed(group, names) == {}
    with pytest.raises(Retry, match="Failed to get committed offsets"):  # the client asks on for a coordinator
        reader.committed(group, names)


#: what only the administrator may do, with a topic by its real name
ATTEMPTS: dict[str, Callable[[KafkaAdmin, Run, str], object]] = {
    "make a topic": lambda cluster, _, name: cluster.create([TopicShape(f"{name}.another", 1)]),
    "delete records": lambda cluster, _, name: cluster.delete_records(name, 0, 1),
    "change a setting": lambda cluster, _, name: cluster.set(name, "retention.ms", "100000"),
    "give rights": lambda cluster, run, _: cluster.give([right for right in rights_of(run) if right.user == BusUser.WORKER][:1]),
    "delete a topic": lambda cluster, _, name: cluster.delete([name]),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("user", COMPONENTS)
def test_no_component_administers(run: Run, user: BusUser, attempt: str) -> None:
    assert not written(run, BusUser.WORKER, RTDL)
    name, reader = topic(RTDL).name(run.namespace), KafkaAdmin(run.bootstrap, properties_of(run, BusUser.READER))
    with pytest.raises((Stop, Retry)) as refused:
        ATTEMPTS[attempt](KafkaAdmin(run.bootstrap, properties_of(run, user), PATIENCE_MS / 1_000), run, name)
    # the client looks for the leaders of a topic before it deletes records: of one that its user may not see it finds none
    unseen = attempt == "delete records" and not any((one.user, one.handle) == (user, RTDL) for one in allowed())
    assert (refused.value.reason is Reason.BROKER_UNREACHABLE) is unseen, refused.value
    assert ("No leaders found" if unseen else f"Kafka refuses the user '{user}': ") in refused.value.what
    assert reader.bounds(name)[0][0] == 0


def test_the_administrator_does_what_no_component_may(run: Run) -> None:
    cluster = KafkaAdmin(run.bootstrap, properties_of(run, BusUser.ADMIN))
    cluster.create([TopicShape("scratch", 1)])
    until(lambda: "scratch" in cluster.partitions(), 30.0)
    producer = RecordProducer(run.bootstrap, properties_of(run, BusUser.ADMIN))
    assert producer.offer("scratch", None, b"value", 0)
    assert producer.flush(30.0) == 0
    for attempt in ATTEMPTS.values():
        attempt(cluster, run, "scratch")
    until(lambda: {"scratch", "scratch.another"} & cluster.partitions().keys() == {"scratch.another"}, 30.0)


@pytest.mark.parametrize("user", COMPONENTS)
def test_no_component_is_told_the_rights(run: Run, user: BusUser) -> None:
    assert KafkaAdmin(run.bootstrap, properties_of(run, user)).rights(frozenset(BusUser)) == frozenset()
    assert KafkaAdmin(run.bootstrap, properties_of(run, BusUser.ADMIN)).rights(frozenset(BusUser)) == rights_of(run)


def guessed(user: BusUser) -> dict[str, str]:
    """The properties of a user with another password."""
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": user, "sasl.password": "guessed"}


def test_the_port_of_clients_knows_each_user_and_nobody_else(run: Run) -> None:
    for user in BusUser:
        assert KafkaAdmin(run.bootstrap, properties_of(run, user), 5.0).brokers() == 1
        with pytest.raises(Stop, match=f"Kafka refuses the user '{user}': Authentication failed: Invalid username or password") as refused:
            KafkaAdmin(run.bootstrap, guessed(user), 3.0).brokers()
        assert refused.value.reason is Reason.BUS_USER_REFUSED
    with pytest.raises(Retry) as unanswered:
        KafkaAdmin(run.bootstrap, {}, 3.0).brokers()
    assert unanswered.value.reason is Reason.BROKER_UNREACHABLE


def test_the_port_of_the_controller_knows_the_administrator_alone(run: Run, home: Path) -> None:
    port = json.loads((home / "ports.json").read_text())["controller"]

    async def asked(properties: dict[str, str]) -> str:
        """Kafka's answer to a question for the rights, empty if it tells them. No client knows this port, so the connection is bare."""
        arguments = {"security_protocol": "PLAINTEXT", **aiokafka_arguments(properties)}
        try:
            connection = await create_conn("127.0.0.1", port, request_timeout_ms=PATIENCE_MS, **arguments)
        except KafkaError as error:
            return cause_of(error)
        try:
            told = await connection.send(DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY))
        except KafkaError as error:
            return cause_of(error)
        else:
            return "" if told.resources else f"no rights, error {told.error_code}"
        finally:
            connection.close()

    assert asyncio.run(asked(properties_of(run, BusUser.ADMIN))) == ""
    assert "SaslAuthenticationFailed" in asyncio.run(asked(guessed(BusUser.ADMIN)))
    assert "closed" in asyncio.run(asked({}))
    for user in COMPONENTS:
        assert "SaslAuthenticationFailed" in asyncio.run(asked(properties_of(run, user)))


@pytest.fixture(scope="module")
def locked_out(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run with passwords that its Kafka does not know."""
    directory = tmp_path_factory.mktemp("locked_out")
    (directory / "users").mkdir()
    for user in BusUser:
        lines = "".join(f"{name}={value}\n" for name, value in guessed(user).items())
        properties_file(directory / "users", user).write_text(lines)
    made = run.model_copy(update={"directory": directory, "bus_users": "users"})
    made.save()
    return made


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("reader", ["topic", "cat", "FP_BUS_CONTROL_V1"]),
        ("reader", ["replay", "--verify"]),
        ("admin", ["topic", "create"]),
    ],
    ids=["read", "verify", "administer"],
)
def test_a_command_with_a_wrong_password_says_so_once_and_ends(locked_out: Run, user: str, command: list[str]) -> None:
    ended = assay(*command, "--run", locked_out.directory, ASSAY_BUS="", ASSAY_BUS_PROPERTIES="")
    assert ended.code == USAGE
    assert ended.out == ""
    assert f"BUS_USER_REFUSED: Kafka refuses the user '{user}': Authentication failed: Invalid username or password" in ended.err
    assert ended.err.count("BUS_USER_REFUSED") == 1
    assert not [word for word in ("Traceback", "guessed", "in the clear") if word in ended.err]


def test_a_publisher_with_a_wrong_password_does_not_wait_for_the_end_of_its_time(locked_out: Run) -> None:
    publisher = KafkaPublisher(locked_out.bootstrap, "", properties_of(locked_out, BusUser.RUNNER), 600_000)
    with pytest.raises(Stop, match="Kafka refuses the user 'runner'") as refused:
        publisher.publish(CONTROL, [OutboundRecord(b"k", b"\xc3\x01" + b"\0" * 8, 0)])
    assert refused.value.reason is Reason.BUS_USER_REFUSED


def test_a_gate_with_a_wrong_password_is_red_and_says_why(locked_out: Run) -> None:
    publisher = BusPublisher(locked_out.bootstrap, {}, properties_of(locked_out, BusUser.GATE))
    with pytest.raises(Retry, match="BUS_UNAVAILABLE: Kafka refuses the user 'gate'"):
        publisher.probe()


def test_the_audit_is_held_against_its_chain_alone_where_kafka_refuses_the_reader(locked_out: Run) -> None:
    assert "Kafka refuses the user 'reader'" in witnesses_of(locked_out, properties_of(locked_out, BusUser.READER)).unreached


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
    with pytest.raises(Stop, match="TopicAuthorizationFailed") as refused:
        asyncio.run(write(BusUser.GATE))
    assert refused.value.reason is Reason.BUS_USER_REFUSED


def test_what_a_user_needs_no_more_is_taken(run: Run) -> None:
    cluster = KafkaAdmin(run.bootstrap, properties_of(run, BusUser.ADMIN))
    extra = next(iter(rights_of(run)))._replace(user=BusUser.READER, operation="WRITE", kind="TOPIC", name=topic(RTDL).name(run.namespace))
    cluster.set_rights(frozenset(BusUser), rights_of(run) | {extra})
    assert not written(run, BusUser.READER, RTDL)
    grant(run)
    assert "authorization failed" in written(run, BusUser.READER, RTDL).lower()


def test_passwords_stand_in_files_of_their_owner_alone(run: Run, home: Path) -> None:
    passwords = passwords_of(run)
    assert len(set(passwords)) == len(BusUser)
    assert_in_files_of_their_owner(run, home, passwords)
    commands = [" ".join(one.cmdline()) for one in psutil.Process().children(recursive=True)]
    assert not [command for command in commands if any(password in command for password in passwords)]
