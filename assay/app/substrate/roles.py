"""The roles of a PostgreSQL of ours: one per component, each with a password of its own, none of them superuser.

An owner has the database and its tables; commands that people call use it. Gate, runner and reader own nothing: what each may do stands in
`assay.app.database.rights`. The administrator makes the others, and nothing that runs later knows its password.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from assay.app.database.rights import COMPONENTS, GATE, READER
from assay.app.substrate.ports import HOST

ADMIN, OWNER = "postgres", "assay_owner"
DATABASE = "assay"
#: none of what a component of ours needs
_PLAIN = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


def passfile(home: Path, role: str) -> Path:
    """The file with the password of a role, for its owner only."""
    return home / f"{role}.passfile"


def write_passwords(home: Path, admin: str) -> None:
    """A password for each role beside that of the administrator, each in a file of its own; one that is there stays."""
    _write_password(home, ADMIN, admin)
    _complete(home)


def new_password() -> str:
    """A password that nobody guesses, without characters that a password file escapes."""
    return secrets.token_urlsafe(24)


def address(home: Path, role: str, port: int, database: str = "") -> str:
    """The URI of a role. It names the file of the password, so it is no secret."""
    database = database or ("postgres" if role == ADMIN else DATABASE)
    return f"postgresql://{role}@{HOST}:{port}/{database}?passfile={quote(str(passfile(home, role)))}"


def make_roles(home: Path, port: int) -> None:
    """Make roles and database, or what is missing of them. Raises psycopg.Error while the server does not answer."""
    _complete(home)
    with psycopg.connect(address(home, ADMIN, port), autocommit=True, connect_timeout=5) as connection:
        for role in (OWNER, *COMPONENTS):
            _make_role(connection, home, role)
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(sql.Identifier(READER)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
    with psycopg.connect(address(home, ADMIN, port, DATABASE), autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"REASSIGN OWNED BY {GATE} TO {OWNER}")  # an earlier version gave database and tables to the gate
        # behind it: with the owner of a database the rights that were the old owner's go, too
        connection.execute(f"REVOKE ALL ON DATABASE {DATABASE}, postgres, template1 FROM PUBLIC")
        connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {', '.join(COMPONENTS)}")
        connection.execute(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON TABLES TO {READER}")


def _make_role(connection: psycopg.Connection[Any], home: Path, role: str) -> None:
    there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER ROLE" if there else "CREATE ROLE")
    # the server sees what the password is checked by, never the password: a statement may be logged
    proof = connection.pgconn.encrypt_password(_password(home, role).encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("{} {} {} PASSWORD {}").format(verb, sql.Identifier(role), _PLAIN, sql.Literal(proof)))


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _password(home: Path, role: str) -> str:
    return passfile(home, role).read_text().rstrip("\n").rpartition(":")[2]


def _complete(home: Path) -> None:
    """Passwords for roles that have none yet: an earlier version had fewer roles."""
    for role in (OWNER, *COMPONENTS):
        if not passfile(home, role).exists():
            _write_password(home, role, new_password())


def _write_password(home: Path, role: str, password: str) -> None:
    write_private(passfile(home, role), f"*:*:*:{role}:{password}\n")
