"""How far the index of a run remembers ids, and what it has forgotten. The server looks at what is due; see `horizon_tables`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import psycopg

from assay.app.gate.index_tables import Connection
from assay.app.run.directory import RunConfig
from assay.tables.dedupe import RESENT_ROWS_MAX

DAY_US: Final = 86_400_000_000
_SET: Final = "INSERT INTO ig_horizons (platform_run_id, horizon_us, newest, classes) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
_UP_TO: Final = "SELECT ig_forget_up_to(%s)"
_SOME: Final = "SELECT ig_forget(%s, %s)"
_FORGOTTEN: Final = "SELECT before_us, ids FROM ig_forgotten WHERE platform_run_id = %s"
_THERE: Final = "SELECT to_regclass('ig_forgotten') IS NOT NULL"


class RunHorizon(NamedTuple):
    """An id is forgotten `horizon_us` behind the time of the run: that of the marks of all `classes`; without classes, the latest time that
    was admitted 10 minutes ago. The `newest` ids stay."""

    horizon_us: int
    newest: int
    classes: tuple[str, ...] | None


class Forgotten(NamedTuple):
    """So many ids, of events before this time in microseconds."""

    before_us: int
    ids: int


def horizon_of(config: RunConfig, classes: Iterable[str]) -> RunHorizon:
    """That of a run whose gate admits these classes: the days of its lanes. How many ids a lane holds at most does not count here."""
    by_marks = tuple(classes) if config.ordering == "event_time" else None
    return RunHorizon(config.idempotency_horizon.days * DAY_US, RESENT_ROWS_MAX, by_marks)


def set_horizon(connection: Connection, platform_run_id: str, horizon: RunHorizon) -> None:
    """Say it once; the first that was said stays. Raises psycopg.Error."""
    horizon_us, newest, classes = horizon
    connection.execute(_SET, (platform_run_id, horizon_us, newest, None if classes is None else list(classes)))


def forget_up_to(connection: Connection, platform_run_id: str) -> int | None:
    """The event time, in microseconds, before which ids are forgotten from now on; None where none is so old, or another process is at it.

    Raises psycopg.Error.
    """
    row = connection.execute(_UP_TO, (platform_run_id,)).fetchone()
    return None if row is None else row[0]


def forget_some(connection: Connection, platform_run_id: str, about: int) -> int | None:
    """Forget about so many ids; how many, None where nothing is left of what was said. Raises psycopg.Error."""
    row = connection.execute(_SOME, (platform_run_id, about)).fetchone()
    return None if row is None else row[0]


def forgotten_of(connection: psycopg.Connection[Any], platform_run_id: str) -> Forgotten | None:
    """What the index of a run has forgotten, None for nothing. Raises psycopg.Error."""
    if connection.execute(_THERE).fetchone() != (True,):
        return None
    row = connection.execute(_FORGOTTEN, (platform_run_id,)).fetchone()
    return None if row is None or not row[1] else Forgotten(*row)
