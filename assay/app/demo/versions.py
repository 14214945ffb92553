"""What the servers of a run say they are."""

from __future__ import annotations

import psycopg

from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.app.substrate.jars import listed


def kafka(run: Run, settings: Settings) -> str:
    """The version of the Kafka we started, and its brokers; for one by address its cluster, as the protocol tells no version."""
    cluster = KafkaAdmin(run.bootstrap, properties_of(run, BusUser.READER, settings))
    count = cluster.brokers()
    brokers = f"{count} broker{'s' if count > 1 else ''}"
    if settings.bus or settings.servers != "packages":
        return f"{brokers}, cluster {cluster.cluster_id()}"
    return f"{started_version()}, {brokers}"


def started_version() -> str:
    """The version of the broker among the listed jars."""
    return next(jar.version for jar in listed() if jar.artifact.startswith("kafka_"))


def postgres(dsn: str) -> str:
    """The server's version number."""
    with psycopg.connect(dsn) as connection:
        return str(connection.info.parameter_status("server_version"))
