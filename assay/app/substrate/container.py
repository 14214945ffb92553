"""The same servers in containers, for machines where a Docker engine answers. They end with this process, through testcontainers."""

from __future__ import annotations

import importlib
from typing import Any

from assay.app.substrate import ports
from assay.app.substrate.processes import Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

KAFKA_IMAGE = "apache/kafka:4.3.0"
POSTGRES_IMAGE = "postgres:18"


def kafka_container() -> Server:
    """Apache Kafka in a container, on a fixed free port, since a broker must announce the port its clients use."""
    port = ports.free_port()
    listeners = f"PLAINTEXT://:{port},CONTROLLER://:9093"
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": listeners,
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{ports.HOST}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    return _run("kafka", KAFKA_IMAGE, port, port, environment, f"{ports.HOST}:{port}")


def postgres_container() -> Server:
    """PostgreSQL in a container."""
    port = ports.free_port()
    environment = {"POSTGRES_USER": "assay", "POSTGRES_PASSWORD": "assay"}
    return _run("postgres", POSTGRES_IMAGE, port, 5432, environment, f"postgresql://assay:assay@{ports.HOST}:{port}/postgres")


def _run(name: str, image: str, port: int, inside: int, environment: dict[str, str], address: str) -> Server:
    """Start a container and answer its address; raises Stop(DOCKER_SILENT) where no engine answers."""
    core: Any = importlib.import_module("testcontainers.core.container")
    try:
        container = core.DockerContainer(image).with_bind_ports(inside, port)
        for key, value in environment.items():
            container = container.with_env(key, value)
        container.start()
    except Exception as error:  # docker's client raises its own errors, requests' and urllib3's
        raise Stop(
            Reason.DOCKER_SILENT,
            f"{name} cannot run in a container: no Docker engine answers ({type(error).__name__})",
            where=image,
            remedy="Start Docker, or leave ASSAY_SERVERS at `packages`.",
        ) from error
    return ContainerServer(name, port, address, container=container)


class ContainerServer(Server):
    """A server whose process is a container's."""

    def __init__(self, name: str, port: int, address: str, *, container: Any) -> None:
        super().__init__(name, port, address)
        self.container = container

    def stop(self) -> None:
        """Remove the container."""
        self.container.stop()
