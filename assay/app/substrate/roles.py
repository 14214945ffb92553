"""Who may do what in a PostgreSQL of ours: a role per component, each with a password of its own, none of them superuser.

The gate owns one database. A reader, for reports and proofs, may read what the gate has made there. The administrator makes the two,
and nothing that runs later knows its password.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from assay.app.substrate.ports import HOST

ADMIN, GATE, READER = "postgres", "assay_gate", "assay_reader"
DATABASE = "assay"
#: none of what a component of ours needs
_PLAIN = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


def passfile(home: Path, role: str) -> Path:
    """The file with the password of a role, for its owner only."""
    return home / f"{role}.passfile"


def write_passwords(home: Path, admin: str) -> None:
    """A password for each component beside that of the administrator, each in a file of its own."""
    for role, password in ((ADMIN, admin), (GATE, new_password()), (READER, new_password())):
        write_private(passfile(home, role), f"*:*:*:{role}:{password}\n")


def new_password() -> str:
    """A password that nobody guesses, without characters that a password file escapes."""
    return secrets.token_urlsafe(24)


def address(home: Path, role: str, port: int) -> str:
    """The URI of a role. It names the file of the password, so it is no secret."""
    database = "postgres" if role == ADMIN else DATABASE
    return f"postgresql://{role}@{HOST}:{port}/{database}?passfile={quote(str(passfile(home, role)))}"


def make_roles(home: Path, port: int) -> None:
    """Make roles and database, or what is missing of them. Raises psycopg.Error while the server does not answer."""
    with psycopg.connect(address(home, ADMIN, port), autocommit=True, connect_timeout=5) as connection:
        for role in (GATE, READER):
            there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            verb = sql.SQL("ALTER ROLE" if there else "CREATE ROLE")
            # the server sees what the password is checked by, never the password: a statement may be logged
            proof = connection.pgconn.encrypt_password(_password(home, role).encode(), role.encode(), b"scram-sha-256").decode()
            change = sql.SQL("{} {} {} PASSWORD {}").format(verb, sql.Identifier(role), _PLAIN, sql.Literal(proof))
            connection.execute(change)
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(sql.Identifier(READER)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(GATE)))
        connection.execute(f"REVOKE ALL ON DATABASE {DATABASE}, postgres, template1 FROM PUBLIC")
        connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {READER}")
    with psycopg.connect(address(home, GATE, port), autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READER}")


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _password(home: Path, role: str) -> str:
    return passfile(home, role).read_text().rstrip("\n").rpartition(":")[2]
