"""Who a process is to a Kafka of ours: a user per component, each with its own file of client properties, and none more than it needs.

A Kafka of the user's has the properties of the settings, for every component.
"""

from __future__ import annotations

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
    LABELS = "labels"
    READER = "reader"


def properties_file(users: Path, user: BusUser) -> Path:
    """The client properties of a user, with its password, for their owner only."""
    return users / f"{user}.properties"


def properties_of(run: Run, user: BusUser, settings: Settings | None = None) -> dict[str, str]:
    """How a client of this user reaches the run's Kafka, with librdkafka's names.

    Raises Stop(SETTING_INVALID) for a file that cannot be read.
    """
    if not run.bus_users:
        return read_bus_properties((settings or load_settings()).bus_properties)
    file = properties_file(run.directory / run.bus_users, user)
    if not file.is_file():
        what = f"the credentials of Kafka's user '{user}' are not there"
        remedy = "`assay substrate down --dir RUN`, then `assay substrate up --dir RUN`: a Kafka that starts writes what is missing."
        raise Stop(Reason.SETTING_INVALID, what, where=str(file), remedy=remedy)
    return read_bus_properties(file)
