"""The two servers of a run as one value: those of the settings where given, else started here and owned by this process."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from assay.app.database.rights import SqlAddresses
from assay.app.settings import Settings
from assay.app.substrate.container import kafka_container, postgres_container
from assay.app.substrate.kafka import given_kafka, start_kafka
from assay.app.substrate.postgres import given_postgres, start_postgres
from assay.app.substrate.processes import Server


def kafka_at(directory: Path, settings: Settings, *, log: Path | None = None, secured: bool = False) -> Server:
    """The Kafka of the settings (`bus`), else one started with its data under `directory`, or in a container if the settings say so.

    `secured`: one that is begun here has a user per component.
    """
    if settings.bus:
        return given_kafka(settings)
    if settings.servers == "container":
        return kafka_container()
    return start_kafka(directory, settings, log=log, secured=secured)


def postgres_at(directory: Path, settings: Settings, *, log: Path | None = None) -> Server:
    """The PostgreSQL of the settings (`sql`), else one started under `directory`, or in a container if the settings say so."""
    if settings.sql:
        return given_postgres(settings)
    if settings.servers == "container":
        return postgres_container()
    return start_postgres(directory, settings, log=log)


class Substrate:
    """`with Substrate(directory, settings) as servers:` gives `servers.bootstrap` and `servers.dsn`.

    Data goes to `directory/servers`, logs to `directory/logs`. On the way out, also by an exception, what was started is stopped;
    if this process is killed, the servers end by themselves within five seconds.
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings
        self.servers: list[Server] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        data, logs = self.directory / "servers", self.directory / "logs"
        with ExitStack() as stack:
            for name, start in (("postgres", postgres_at), ("kafka", partial(kafka_at, secured=True))):
                server = start(data / name, self.settings, log=logs / f"{name}.log")
                stack.callback(server.stop)
                self.servers.append(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def detach(self) -> None:
        """Leave the started servers running after this process; `assay substrate down` stops them."""
        self._stack.pop_all()
        for server in self.servers:
            if server.launch is not None:
                server.detach()

    def __getitem__(self, name: str) -> Server:
        return next(server for server in self.servers if server.name == name)

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""
        return self["kafka"].address

    @property
    def dsn(self) -> str:
        """PostgreSQL's connection URI, for the owner of the database."""
        return self["postgres"].address

    @property
    def sql_roles(self) -> SqlAddresses:
        """The same for each component, empty where the server is not ours."""
        return self["postgres"].roles

    @property
    def bus_users(self) -> str:
        """The folder of the users of Kafka, empty where it is not ours."""
        return self["kafka"].users
