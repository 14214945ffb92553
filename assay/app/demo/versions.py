"""What the servers of a run say they are."""

from __future__ import annotations

import psycopg
from confluent_kafka.admin import AdminClient

from assay.app.bus.properties import read_bus_properties
from assay.app.settings import Settings
from assay.app.substrate.jars import listed


def kafka(bootstrap: str, settings: Settings) -> str:
    """The version of the Kafka we started, and its brokers; for one by address its cluster, as the protocol tells no version."""
    properties: dict[str, str | int | float | bool] = {
        **read_bus_properties(settings.bus_properties),
        "bootstrap.servers": bootstrap,
        "log_level": 0,
    }
    client = AdminClient(properties)  # has to live until it was answered
    described = client.describe_cluster().result(20)
    brokers = f"{len(described.nodes)} broker{'s' if len(described.nodes) > 1 else ''}"
    if settings.bus or settings.servers != "packages":
        return f"{brokers}, cluster {described.cluster_id}"
    return f"{started_version()}, {brokers}"


def started_version() -> str:
    """The version of the broker among the listed jars."""
    return next(jar.version for jar in listed() if jar.artifact.startswith("kafka_"))


def postgres(dsn: str) -> str:
    """The server's version number."""
    with psycopg.connect(dsn) as connection:
        return str(connection.info.parameter_status("server_version"))
