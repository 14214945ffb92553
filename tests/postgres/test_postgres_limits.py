"""A full disk is a limit on the server's own files: writes fail with its own error, and work again when space returns."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from assay.app.settings import load_settings
from assay.app.substrate.postgres import start_postgres

pytestmark = [pytest.mark.tier1, pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's")]

LIMIT_BYTES = 24 * 1024 * 1024  # above a WAL segment, which is 16 MB
FILL = "INSERT INTO filler SELECT repeat(md5(g::text), 30) FROM generate_series(1, 50000) g"


def test_postgres_refuses_what_does_not_fit_and_goes_on_when_space_returns(tmp_path: Path) -> None:
    with start_postgres(tmp_path / "postgres", load_settings()) as server, psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute("CREATE TABLE filler (text text)")
        server.limit_file_size(LIMIT_BYTES)
        with pytest.raises(psycopg.DatabaseError, match="File too large"):
            connection.execute(FILL)
        server.limit_file_size(None)
        connection.execute(FILL)
        assert connection.execute("SELECT count(*) FROM filler").fetchone() == (50000,)


def test_the_limit_can_be_there_from_the_start(tmp_path: Path) -> None:
    with (
        start_postgres(tmp_path / "postgres", load_settings(), file_size_limit_bytes=LIMIT_BYTES) as server,
        psycopg.connect(server.address, autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE filler (text text)")
        with pytest.raises(psycopg.DatabaseError, match="File too large"):
            connection.execute(FILL)
