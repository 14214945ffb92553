"""Who a process is to a Kafka of ours: a user per component, each with its own file of client properties, and none more than it needs.

A Kafka of the user's has the properties of the settings, for every component.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path

from assay.app.bus.properties import read_bus_properties
from assay.app.run.directory import Run
from assay.app.settings import Settings, load_settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class BusUser(StrEnum):
    """The users of a Kafka of ours. `ADMIN` is the broker itself, and who makes topics, deletes records and grants rights."""

    ADMIN = "admin"
    GATE = "gate"
    WORKER = "worker"
    RUNNER = "runner"
    STREAMER = "streamer"
    READER = "reader"


def properties_file(users: Path, user: BusUser) -> Path:
    """The client properties of a user, with its password, for their owner only."""
    return users / f"{user}.properties"


def client_properties(users: str, user: BusUser, settings: Settings | None = None) -> dict[str, str]:
    """How a client of this user reaches Kafka, with librdkafka's names. `users` is the folder of the users of a Kafka of ours, or empty.

    Raises Stop(SETTING_INVALID) for a file that cannot be read.
    """
    if not users:
        return read_bus_properties((settings or load_settings()).bus_properties)
    file = properties_file(Path(users), user)
    if not file.is_file():
        what = f"the credentials of Kafka's user '{user}' are not there"
        raise Stop(Reason.SETTING_INVALID, what, where=str(file), remedy="Start the run's Kafka again: it writes what is missing.")
    logging.getLogger("aiokafka.conn").addFilter(_is_news)
    return read_bus_properties(file)


def properties_of(run: Run, user: BusUser, settings: Settings | None = None) -> dict[str, str]:
    """The same for the Kafka of a run. Raises Stop(SETTING_INVALID)."""
    return client_properties(run.bus_users, user, settings)


def _is_news(record: logging.LogRecord) -> bool:
    """A Kafka of ours listens on the loopback device alone, where a password leaves the machine for nobody."""
    return "in the clear" not in record.getMessage()
