"""One Apache Kafka node (KRaft, broker and controller in one process) in a directory of its own."""

from __future__ import annotations

import base64
import secrets
import signal
from pathlib import Path

from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.properties import read_bus_properties
from assay.app.settings import Settings
from assay.app.substrate import kafka_users, ports
from assay.app.substrate.jars import class_path
from assay.app.substrate.java import find_java
from assay.app.substrate.processes import Launch, Server, run_to_end
from assay.app.substrate.roles import write_private
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

STOP_GRACE_S = 10.0
PORT_TRIES = 3
GIVEN_TIMEOUT_S = 15.0
FORMAT_TIMEOUT_S = 60

# One node: every replication factor is one. After a SIGKILL the controller refuses the broker's new life until the session of the
# old one ends, 9 s by default. A topic that is missing is an error, never made by asking for it.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
listeners={protocol}://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners={protocol}://{host}:{broker}
listener.security.protocol.map={protocol}:{protocol},CONTROLLER:{protocol}
log.dirs={data}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=33554432
"""

LOGGING = """\
status=error
shutdownHook=disable
rootLogger.level=INFO
rootLogger.appenderRef.stdout.ref=STDOUT
logger.settings.name=kafka.server.KafkaConfig
logger.settings.level=WARN
logger.defaults.name=org.apache.kafka.common.config.AbstractConfig
logger.defaults.level=WARN
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d{yyyy-MM-dd'T'HH:mm:ss,SSS} %p %m (%c{1})%n%throwable
"""


def start_kafka(
    directory: Path, settings: Settings, *, log: Path | None = None, file_size_limit_bytes: int | None = None, secured: bool = False
) -> Server:
    """Start a broker with its data under `directory`, formatted at the first start; returns when it answers.

    It listens on the ports it had before if they are free. `secured`: one that has no data yet gets a user per component, see `users`
    of the server; one with data stays as it was begun. Raises Stop(JAVA_MISSING), Stop(JAR_…), Stop(SERVER_DIED | SERVER_SILENT).
    """
    home = directory.resolve()
    users = kafka_users.users_of(home, begin=secured)
    java, jars = find_java(), class_path(settings)
    for attempt in range(PORT_TRIES):
        server = _server(home, java, jars, settings, log or home / "kafka.log", users)
        try:
            return server.start(file_size_limit_bytes=file_size_limit_bytes)
        except Stop as stop:  # another program took a port between the look and the bind
            if stop.reason is not Reason.SERVER_DIED or "Address already in use" not in str(stop) or attempt == PORT_TRIES - 1:
                raise
            (home / "ports.json").unlink(missing_ok=True)
    raise AssertionError("unreachable: the last try returns or raises")


def _server(home: Path, java: Path, jars: list[Path], settings: Settings, log: Path, users: Path | None) -> Server:
    data, scratch = home / "data", home / "tmp"
    for room in (data, scratch):
        room.mkdir(parents=True, exist_ok=True)
    numbers = ports.claim(home / "ports.json", ["broker", "controller"])
    properties, logging = home / kafka_users.SERVER_PROPERTIES, home / "log4j2.properties"
    protocol, secret = ("PLAINTEXT", "") if users is None else (kafka_users.PROTOCOL, kafka_users.broker_properties(users))
    write_private(properties, PROPERTIES.format(host=ports.HOST, data=data, protocol=protocol, **numbers) + secret)
    logging.write_text(LOGGING)
    command = [
        str(java),
        f"-Xmx{settings.kafka_heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-Djava.awt.headless=true",
        f"-Djava.io.tmpdir={scratch}",  # native parts of the compression jars are unpacked here, not in the user's /tmp
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        ":".join(str(jar) for jar in jars),
    ]
    if not (data / "meta.properties").exists():
        _format(command, properties, log)
    address = f"{ports.HOST}:{numbers['broker']}"
    launch = Launch([*command, "kafka.Kafka", str(properties)], home, log.resolve(), signal.SIGTERM, STOP_GRACE_S)
    admin = kafka_users.admin_properties(users)
    server = Server("kafka", numbers["broker"], address, log=log, data=data, launch=launch, answers=lambda: ask(address, admin))
    server.users = str(users or "")
    return server


def _format(command: list[str], properties: Path, log: Path) -> None:
    identity = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    quick = [command[0], "-XX:TieredStopAtLevel=1", *command[1:]]  # lives a second: not worth optimising
    arguments = [*quick, "kafka.tools.StorageTool", "format", f"--cluster-id={identity}", "-c", str(properties)]
    run_to_end("kafka-format", Launch(arguments, properties.parent, log.resolve(), signal.SIGTERM, STOP_GRACE_S), FORMAT_TIMEOUT_S)


def ask(bootstrap: str, properties: dict[str, str] | None = None, timeout_s: float = 5.0) -> int:
    """How many brokers the cluster at this address says it has; raises if it does not answer."""
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    if host == ports.HOST and not ports.is_open(int(port)):  # the client would write a line per refused connection
        raise ConnectionRefusedError(bootstrap)
    brokers = KafkaAdmin(bootstrap, properties, timeout_s).brokers()
    if not brokers:
        raise ConnectionError(f"no broker registered yet at {bootstrap}")
    return brokers


def given_kafka(settings: Settings) -> Server:
    """The user's own Kafka, by the address in the settings; never started, stopped or configured from here.

    Raises Stop(SERVER_SILENT) if it does not answer.
    """
    try:
        ask(settings.bus, read_bus_properties(settings.bus_properties), GIVEN_TIMEOUT_S)
    except (Retry, ConnectionError) as error:
        raise Stop(
            Reason.SERVER_SILENT,
            f"kafka does not answer: {error.what if isinstance(error, Retry) else error}",
            where=settings.bus,
            remedy="Check ASSAY_BUS and ASSAY_BUS_PROPERTIES, or leave ASSAY_BUS empty to have one started.",
        ) from None
    return Server("kafka", int(settings.bus.split(",")[0].rpartition(":")[2]), settings.bus)
