"""A PostgreSQL of ours has an owner and a role per component, and none of them is its superuser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from claims import Claim

from assay.app.database.prepare import prepare
from assay.app.database.rights import COMPONENTS, GATE, RUNNER
from assay.app.gate.index import AdmissionIndex
from assay.app.settings import load_settings
from assay.app.substrate import Server
from assay.app.substrate.postgres import start_postgres
from assay.app.substrate.roles import ADMIN, DATABASE, OWNER, address, passfile

pytestmark = pytest.mark.tier1

ROLES = (ADMIN, OWNER, *COMPONENTS)
CLAIM = Claim(b"k" * 32, b"h" * 32, 1, 2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roles") / "postgres"


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server of ours, in which a gate has claimed an event."""
    with start_postgres(home, load_settings(sql="")) as started:
        prepare(started.address)
        index = AdmissionIndex(started.roles.gate)
        index.ready()
        batch, _ = index.next_batch(1)
        index.claim([CLAIM], batch)
        index.close()
        yield started


def refused(dsn: str, statement: str) -> str:
    """The name of PostgreSQL's error for a statement, empty for none."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        return type(error).__name__
    return ""


def test_no_component_has_a_right_over_the_server(home: Path, server: Server) -> None:
    with psycopg.connect(address(home, ADMIN, server.port)) as connection:
        rights = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        with_rights = connection.execute(f"SELECT rolname FROM pg_roles WHERE rolcanlogin AND ({rights})").fetchall()
    assert with_rights == [(ADMIN,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "CREATE ROLE another SUPERUSER LOGIN",
        "ALTER SYSTEM SET fsync = off",
        "SELECT rolpassword FROM pg_authid",
        f"SET ROLE {ADMIN}",
    ],
)
@pytest.mark.parametrize("role", [OWNER, *COMPONENTS])
def test_a_role_cannot_leave_its_database(home: Path, server: Server, role: str, statement: str) -> None:
    dsn = f"{address(home, role, server.port)}&options=-cdefault_transaction_read_only%3Doff"
    assert refused(dsn, statement) == "InsufficientPrivilege"


@pytest.mark.parametrize("role", [OWNER, *COMPONENTS])
def test_a_role_cannot_enter_another_database(home: Path, server: Server, role: str) -> None:
    dsn = f"postgresql://{role}@127.0.0.1:{server.port}/postgres?passfile={passfile(home, role)}"
    assert refused(dsn, "SELECT 1") == "OperationalError"


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT * FROM ig_claims LEFT JOIN ig_batches USING (batch)", ""),
        ("SELECT * FROM ig_admissions", ""),
        ("DELETE FROM ig_claims", "ReadOnlySqlTransaction"),
        ("BEGIN; SET TRANSACTION READ WRITE; DELETE FROM ig_claims", "InsufficientPrivilege"),
        ("BEGIN; SET TRANSACTION READ WRITE; INSERT INTO ig_marks VALUES ('r', 'c', 1, false)", "InsufficientPrivilege"),
        ("BEGIN; SET TRANSACTION READ WRITE; CREATE TABLE ig_more (a int)", "InsufficientPrivilege"),
        ("BEGIN; SET TRANSACTION READ WRITE; SELECT nextval('ig_epoch')", "InsufficientPrivilege"),
    ],
)
def test_a_reader_reads_what_the_gate_has_made_and_changes_nothing(server: Server, statement: str, error: str) -> None:
    assert refused(server.roles.reader, statement) == error


def test_passwords_are_in_files_of_their_owner_and_nowhere_else(home: Path, server: Server) -> None:
    passwords = [passfile(home, role).read_text().strip().rpartition(":")[2] for role in ROLES]
    assert len(set(passwords)) == 6
    assert [oct(passfile(home, role).stat().st_mode & 0o777) for role in ROLES] == ["0o600"] * 6
    assert server.log is not None
    told = server.log.read_text(errors="replace") + server.address + "".join(server.roles) + repr(server)
    assert [password for password in passwords if password in told] == []


def test_a_restart_keeps_the_roles_and_what_they_hold(home: Path, server: Server) -> None:
    passwords = passfile(home, GATE).read_text()
    server.restart()
    assert passfile(home, GATE).read_text() == passwords
    with psycopg.connect(server.roles.reader) as connection:
        assert connection.execute("SELECT count(*) FROM ig_claims").fetchone() == (1,)


def test_a_server_of_an_earlier_version_gives_its_tables_to_the_owner(tmp_path: Path) -> None:
    """There the gate owned database and tables, and there were neither owner nor runner."""
    home = tmp_path / "postgres"
    with start_postgres(home, load_settings(sql="")) as started:
        with psycopg.connect(address(home, ADMIN, started.port), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} OWNER TO {GATE}")
        AdmissionIndex(started.roles.gate).claim([CLAIM], 1)
        with psycopg.connect(address(home, ADMIN, started.port, DATABASE), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {OWNER}, {RUNNER}")
        with psycopg.connect(address(home, ADMIN, started.port), autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {OWNER}, {RUNNER}")
            connection.execute(f"DROP ROLE {OWNER}, {RUNNER}")
        for role in (OWNER, RUNNER):
            passfile(home, role).unlink()
    with start_postgres(home, load_settings(sql="")) as started:
        assert prepare(started.address).roles == tuple(sorted(COMPONENTS))
        assert refused(started.roles.gate, "DELETE FROM ig_claims") == "InsufficientPrivilege"
        assert refused(started.roles.gate, "DROP TABLE ig_claims") == "InsufficientPrivilege"
        assert AdmissionIndex(started.roles.gate).claim([CLAIM], 2)[0].source_order == 1
