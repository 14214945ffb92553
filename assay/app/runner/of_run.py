"""The Scenario Runner of a run directory: its stores, its bus, and the clock of this machine."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable

from assay.app.authority.store import open_authority
from assay.app.bus.publisher import Publisher
from assay.app.progress import unseen
from assay.app.run.directory import Run
from assay.app.runner.imported_world import ImportedWorld
from assay.app.runner.runner import Runner


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def authority_of(run: Run, address: str = "") -> str:
    """The address of the database that decides who writes a run: the one that is given, else that of the run."""
    return address or run.dsn


def runner_of(run: Run, publisher: Publisher, authority: str = "", checked: Callable[[int, int], None] = unseen) -> Runner:
    """The runner of a run. `checked(done, total)` is called for every part of its world that was verified.

    Raises Stop(DATABASE_NOT_MIGRATED, DATABASE_TOO_NEW, SETTING_INVALID), Retry(DATABASE_SILENT).
    """
    return Runner(
        config=run.config,
        store=run.store,
        authority=open_authority(authority_of(run, authority)),
        evidence=ImportedWorld(run.store, run.config, now_us, checked),
        publisher=publisher,
        clock=now_us,
        pause=time.sleep,
        owner_id=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}",
    )
