"""The schema of the authority store: brought up to date by one command, and only looked at by processes that serve."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from assay.app.authority.database import Database
from assay.app.sql_address import shown
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: the table in which the database remembers its revision; other tables of the database are none of ours
VERSIONS: Final = "sr_schema_version"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class Migrated(NamedTuple):
    """The revision before (empty for an empty database) and after; equal when there was nothing to do."""

    before: str
    after: str


def migrate(dsn: str) -> Migrated:
    """Bring a database to the present schema. Two at once are one after another.

    Raises Stop(DATABASE_TOO_NEW) for a database of a later version: there is no way down. Raises Retry(DATABASE_SILENT).
    """
    database = Database(dsn)
    with database.work() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7340015)")
        before = _revision(connection)
        _refuse_unknown(before, dsn)
        settings = _config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        return Migrated(before, _revision(connection))


def refuse_other_schema(database: Database) -> None:
    """Raises Stop(DATABASE_NOT_MIGRATED) for an older schema or none, Stop(DATABASE_TOO_NEW) for a later one. Changes nothing."""
    with database.work() as connection:
        found = _revision(connection)
    _refuse_unknown(found, database.dsn)
    if found != newest():
        raise Stop(
            Reason.DATABASE_NOT_MIGRATED,
            f"the database has {f'revision {found}' if found else 'no tables'} of the Scenario Runner, this version needs {newest()}",
            where=shown(database.dsn),
            remedy="Run `assay db migrate` once; no process that serves changes a schema.",
        )


def newest() -> str:
    """The revision of this version of assay."""
    return str(_scripts().get_current_head())


def _refuse_unknown(revision: str, dsn: str) -> None:
    if revision and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise Stop(
            Reason.DATABASE_TOO_NEW,
            f"the database has revision {revision}, which this version of assay does not know",
            where=shown(dsn),
            remedy="Use the version of assay that made it, or a later one; a schema never goes back.",
        )


def _revision(connection: Connection) -> str:
    heads = MigrationContext.configure(connection, opts={"version_table": VERSIONS}).get_current_heads()
    return heads[0] if heads else ""


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return settings
