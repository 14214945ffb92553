"""Where the passwords of a Kafka of ours stand."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run


def passwords_of(run: Run) -> list[str]:
    """The password of each user of a run's Kafka."""
    return [properties_of(run, user)["sasl.password"] for user in BusUser]


def assert_in_files_of_their_owner(run: Run, home: Path, passwords: Sequence[str]) -> None:
    """In those of the users and the broker's own, and nowhere else below the directories of the run and the server."""
    holding = {file for file in [*home.rglob("*"), *run.directory.rglob("*")] if holds(file, passwords)}
    assert holding == {home / "server.properties", *(home / "users" / f"{user}.properties" for user in BusUser)}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holding)


def holds(file: Path, passwords: Sequence[str]) -> bool:
    """Whether a file has one of the passwords in it. Kafka's indexes of offsets are large, and empty."""
    if not file.is_file() or file.suffix in (".index", ".timeindex"):
        return False
    data = file.read_bytes()
    return any(password.encode() in data for password in passwords)
