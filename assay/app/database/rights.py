"""Which tables of PostgreSQL hold facts and which hold positions, and what the role of each component may do with them.

This is the only list. Facts are inserted and never changed: no component may update, delete or truncate them. Positions say where somebody
stands and may be moved. The owner of the tables is no component: its address is that of commands that people call.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from assay.app.gate.horizon_tables import CALLED

GATE, RUNNER, STREAMER, READER = "assay_gate", "assay_runner", "assay_streamer", "assay_reader"
COMPONENTS: Final = (GATE, RUNNER, STREAMER, READER)


class SqlAddresses(NamedTuple):
    """The addresses of the components' roles, in the order of `COMPONENTS`; empty where the server has no such role."""

    gate: str = ""
    runner: str = ""
    streamer: str = ""
    reader: str = ""


NO_ROLES: Final = SqlAddresses()


class Kind(StrEnum):
    """What a table holds."""

    FACTS = "facts"
    POSITIONS = "positions"


class Holding(NamedTuple):
    """A table: what it holds, and the one component that writes it. `secret`: no other component reads it."""

    table: str
    kind: Kind
    writer: str
    secret: bool = False

    def rights_of(self, role: str) -> str:
        """Privileges of a role as SQL names them, empty for none."""
        if role != self.writer:
            return "" if self.secret else "SELECT"
        return "SELECT, INSERT" if self.kind is Kind.FACTS else "SELECT, INSERT, UPDATE"


HOLDINGS: Final = (
    Holding("ig_claims", Kind.FACTS, GATE),
    Holding("ig_retakes", Kind.FACTS, GATE),
    Holding("ig_batches", Kind.FACTS, GATE),
    Holding("ig_epochs", Kind.FACTS, GATE),
    Holding("ig_ended", Kind.FACTS, GATE),
    Holding("ig_begun", Kind.FACTS, GATE),
    Holding("ig_found", Kind.FACTS, GATE),
    Holding("ig_scanned", Kind.FACTS, GATE),
    Holding("ig_released", Kind.FACTS, GATE),
    Holding("ig_currencies", Kind.FACTS, GATE),
    Holding("ig_answers", Kind.FACTS, GATE),
    Holding("ig_answer_claims", Kind.FACTS, GATE),
    Holding("ig_horizons", Kind.FACTS, GATE),
    Holding("ig_segments", Kind.FACTS, GATE),
    Holding("ig_vault", Kind.FACTS, GATE, secret=True),
    Holding("ig_vault_key", Kind.FACTS, GATE, secret=True),
    Holding("ig_marks", Kind.POSITIONS, GATE),
    Holding("sr_run_equivalence", Kind.FACTS, RUNNER),
    Holding("sr_key_last_asked", Kind.POSITIONS, RUNNER),
    Holding("sr_run_leases", Kind.POSITIONS, RUNNER),
    Holding("wsp_checkpoint", Kind.POSITIONS, STREAMER),
)
#: what is read besides: what the owner records (erasures, what was forgotten), views, and the revision of the schema
READ_ONLY: Final = (
    "ig_vault_erasures",
    "ig_forgotten",
    "ig_answers_forgotten",
    "ig_held",
    "ig_standing",
    "ig_admissions",
    "sr_schema_version",
)
#: functions of the owner that the gate calls: they delete what is beyond the horizon of a run
FUNCTIONS: Final = CALLED
#: numbers that the gate draws
SEQUENCES: Final = ("ig_epoch",)


def give_rights(connection: psycopg.Connection[Any]) -> list[str]:
    """Give each component that the server has a role for exactly its rights on the tables that are there; the roles, sorted.

    The connection is that of the tables' owner. What else the roles had on these tables is taken from them. Raises psycopg.Error.
    """
    found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (list(COMPONENTS),)).fetchall()
    roles = sorted(str(row[0]) for row in found)
    if not roles:
        return []
    row = connection.execute("SELECT current_schema()").fetchone()
    schema = sql.Identifier(str(row[0]) if row else "public")
    there = _there(connection, [*(one.table for one in HOLDINGS), *READ_ONLY, *SEQUENCES])
    for role in roles:
        to = sql.Identifier(role)
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, to))
        rights = {one.table: one.rights_of(role) for one in HOLDINGS} | dict.fromkeys(READ_ONLY, "SELECT")
        for table, privileges in rights.items():
            if table in there:
                name = sql.Identifier(table)
                connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}, PUBLIC").format(name, to))
                if privileges:
                    connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privileges), name, to))
        for sequence in there.intersection(SEQUENCES):
            name = sql.Identifier(sequence)
            connection.execute(sql.SQL("REVOKE ALL ON SEQUENCE {} FROM {}, PUBLIC").format(name, to))
            if role == GATE:
                connection.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(name, to))
        for function in _functions_there(connection):
            connection.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM {}, PUBLIC").format(sql.SQL(function), to))
            if role == GATE:
                connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), to))
    return roles


def _functions_there(connection: psycopg.Connection[Any]) -> list[LiteralString]:
    row = connection.execute(
        "SELECT count(*) FROM unnest(%s::text[]) AS given (name) WHERE to_regprocedure(name) IS NOT NULL", (list(FUNCTIONS),)
    ).fetchone()
    return list(FUNCTIONS) if row and row[0] == len(FUNCTIONS) else []


def _there(connection: psycopg.Connection[Any], names: Collection[str]) -> set[str]:
    rows = connection.execute("SELECT name FROM unnest(%s::text[]) AS given (name) WHERE to_regclass(name) IS NOT NULL", (list(names),))
    return {str(row[0]) for row in rows.fetchall()}
