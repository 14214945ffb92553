"""The tables of the vault in the gate's database, and every statement on them.

A row of `ig_vault` is there from the first event of a subject until the subject is erased. `ig_vault_erasures` says which hashes were
erased: its numbers have no gaps and rise in the order of commits, so the last one tells whether anything was erased since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import psycopg

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: a token is this and its random bytes in hexadecimal digits
PREFIX: Final = "tok-"
TOKEN_BYTES: Final = 16

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ig_vault (
  subject_hash bytea PRIMARY KEY, token text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS ig_vault_key (one boolean PRIMARY KEY DEFAULT true CHECK (one), fingerprint bytea NOT NULL);
CREATE TABLE IF NOT EXISTS ig_vault_erasures (
  number bigint PRIMARY KEY, subject_hash bytea NOT NULL, erased_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX IF NOT EXISTS ig_vault_erasures_subjects ON ig_vault_erasures (subject_hash);
"""
#: hashes and random bytes come as one run of bytes each, cut by row number: no array of them is built on either side
_GIVEN = (
    "WITH given AS MATERIALIZED (SELECT at, substring(%(hashes)s::bytea FROM at * 32 + 1 FOR 32) AS subject_hash"
    " FROM generate_series(0, %(count)s - 1) AS at) "
)
#: one statement sees one moment: the tokens are those after exactly so many erasures
_FIND = _GIVEN + (  # noqa: S608 - of constants
    "SELECT coalesce((SELECT max(number) FROM ig_vault_erasures), 0), v.subject_hash, v.token"
    " FROM (SELECT 1) AS one LEFT JOIN (given JOIN ig_vault v USING (subject_hash)) ON true"
)
#: in the order of hashes: two gates that add the same subjects wait for each other, and never in a circle
_ADD = _GIVEN + (  # noqa: S608 - of constants
    "INSERT INTO ig_vault (subject_hash, token)"
    " SELECT subject_hash, %(prefix)s || encode(substring(%(bits)s::bytea FROM at * 16 + 1 FOR 16), 'hex')"
    " FROM given ORDER BY subject_hash ON CONFLICT DO NOTHING"
)
_ERASED = (
    "INSERT INTO ig_vault_erasures (number, subject_hash)"
    " SELECT (SELECT coalesce(max(number), 0) FROM ig_vault_erasures) + row_number() OVER (), h FROM unnest(%s::bytea[]) AS given (h)"
)


class Found(NamedTuple):
    """Subject hash → token of those that have one, at the moment after this many erasures."""

    erasures: int
    tokens: dict[bytes, str]


class Row(NamedTuple):
    """What is known of one subject: its token with its begin, and when it was last erased; None for what is not there."""

    token: str | None
    created_at: datetime | None
    erased_at: datetime | None


def find(connection: Connection, hashes: Sequence[bytes]) -> Found:
    """Read tokens. An empty sequence reads the number of erasures alone."""
    rows = connection.execute(_FIND, _given(hashes), binary=True).fetchall()
    return Found(int(rows[0][0]), {hashed: token for _, hashed, token in rows if hashed is not None})


def add(connection: Connection, bits: Mapping[bytes, bytes]) -> None:
    """Add subjects, hash → random bytes. The first one stays.

    Durable whatever the session's setting: a token that was published must not be forgotten.
    """
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(_ADD, {**_given(list(bits)), "bits": b"".join(bits.values()), "prefix": PREFIX})


def first_fingerprint(connection: Connection, fingerprint: bytes | None) -> bytes | None:
    """The fingerprint of the vault's key. The first that is given stays; None asks, and is the answer where there is none yet."""
    if fingerprint is not None:
        connection.execute("INSERT INTO ig_vault_key (fingerprint) VALUES (%s) ON CONFLICT DO NOTHING", (fingerprint,))
    row = connection.execute("SELECT fingerprint FROM ig_vault_key", binary=True).fetchone()
    return None if row is None else bytes(row[0])


def erase(connection: Connection, hashes: Sequence[bytes]) -> set[bytes]:
    """Delete subjects and record it, both or neither; the hashes of those that were there. Two calls at once are one after the other."""
    with connection.transaction():
        connection.execute("LOCK TABLE ig_vault_erasures IN SHARE ROW EXCLUSIVE MODE")
        deleted = "DELETE FROM ig_vault WHERE subject_hash = ANY(%s::bytea[]) RETURNING subject_hash"
        gone = {bytes(row[0]) for row in connection.execute(deleted, (list(hashes),), binary=True).fetchall()}
        connection.execute(_ERASED, (sorted(gone),))
    return gone


def rows_of(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, Row]:
    """What is known of each subject."""
    query = (
        "SELECT h, v.token, v.created_at, (SELECT max(e.erased_at) FROM ig_vault_erasures e WHERE e.subject_hash = h)"
        " FROM unnest(%s::bytea[]) AS given (h) LEFT JOIN ig_vault v ON v.subject_hash = h"
    )
    return {bytes(row[0]): Row(*row[1:]) for row in connection.execute(query, (list(hashes),), binary=True).fetchall()}


def _given(hashes: Sequence[bytes]) -> dict[str, Any]:
    return {"hashes": b"".join(hashes), "count": len(hashes)}
