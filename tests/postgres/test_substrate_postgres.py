"""The database the fixtures start is a real PostgreSQL, and each test has a schema of its own."""

from __future__ import annotations

import psycopg
from sqlalchemy import create_engine, text

from assay.app.substrate import Server


def test_the_server_is_recent_enough(postgres: Server) -> None:
    with psycopg.connect(postgres.address) as connection:
        assert connection.info.server_version >= 160000


def test_a_table_lands_in_the_test_s_own_schema(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE thing (id int)")
        row = connection.execute(
            "SELECT current_schema() = table_schema FROM information_schema.tables WHERE table_name = 'thing'"
        ).fetchone()
    assert row == (True,)


def test_sqlalchemy_reads_the_same_address(dsn: str) -> None:
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
