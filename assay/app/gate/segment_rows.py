"""Rows of the index that say which names a sealed segment of receipts may hold: a hint, which rules segments out and finds nothing itself.

A segment without a row is read, and so is one whose rows do not all rule it out. So a row that is missing costs time and no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import psycopg

from assay.app.gate.index_tables import Connection
from assay.app.run.directory import Run
from assay.codecs.lines import lines_in
from assay.tables.receipt_names import BITS, BLOCK_BYTES, FORM, Probe, names_of

#: probes → keys of the segments that hold none of these names
RuledOut: TypeAlias = Callable[[Sequence[Probe]], Collection[str]]

_CONNECT_TIMEOUT_S: Final = 2
_PATIENCE: Final = "SET statement_timeout = '30s'"
_ADD: Final = (
    "INSERT INTO ig_segments (platform_run_id, key, digest, form, lines, names) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_KEYS: Final = "SELECT DISTINCT key FROM ig_segments WHERE platform_run_id = %s AND form = %s"
#: one block of each row and name is fetched, and not once for each of its bits: hence OFFSET 0
_RULED_OUT: Final = """
SELECT key FROM ig_segments s WHERE platform_run_id = %(run)s GROUP BY key HAVING NOT bool_or(form <> %(form)s OR EXISTS (
  SELECT FROM unnest(%(blocks)s::bigint[]) WITH ORDINALITY AS probe (block, at) CROSS JOIN LATERAL (
    SELECT substr(s.names, (probe.block %% (octet_length(s.names) / @block))::int * @block + 1, @block) AS bytes OFFSET 0) AS held
  WHERE (SELECT bool_and(get_bit(held.bytes, bit) = 1)
    FROM unnest((%(bits)s::int[])[(at - 1) * @bits + 1 : at * @bits]) AS given (bit))))
""".replace("@block", str(BLOCK_BYTES)).replace("@bits", str(BITS))


class SegmentRow(NamedTuple):
    """What the index keeps of a segment: `digest` is that of the filter `names`, so another segment under the same key is another row."""

    key: str
    digest: bytes
    form: int
    lines: int
    names: bytes


def row_of(key: str, segment: bytes) -> SegmentRow | None:
    """The row of a segment; None where its lines do not read as receipts: it is always read."""
    names = names_of(segment)
    return None if names is None else SegmentRow(key, hashlib.sha256(names).digest(), FORM, lines_in(segment), names)


def add_rows(connection: Connection, platform_run_id: str, rows: Sequence[SegmentRow]) -> None:
    """Insert rows that are not there. Raises psycopg.Error."""
    for row in rows:
        connection.execute(_ADD, (platform_run_id, *row))


def keys_with_rows(connection: Connection, platform_run_id: str) -> set[str]:
    """Keys of the segments of a run that have a row of this form. Raises psycopg.Error."""
    return {str(row[0]) for row in connection.execute(_KEYS, (platform_run_id, FORM)).fetchall()}


def ruled_out(connection: psycopg.Connection[Any], platform_run_id: str, probes: Sequence[Probe]) -> set[str]:
    """Keys of the segments that hold none of these names, as far as the index knows. Raises psycopg.Error."""
    given = {
        "run": platform_run_id,
        "form": FORM,
        "blocks": [probe.block for probe in probes],
        "bits": [bit for probe in probes for bit in probe.bits],
    }
    return {str(row[0]) for row in connection.execute(_RULED_OUT, given).fetchall()}


def none_ruled_out(_: Sequence[Probe]) -> Collection[str]:
    """Of who reads all segments."""
    return ()


def by_index_of(run: Run) -> RuledOut:
    """What the index of a run rules out, for a command: nothing where PostgreSQL does not answer or has no such rows."""

    def asked(probes: Sequence[Probe]) -> Collection[str]:
        dsn = run.reader_dsn or run.dsn
        if not dsn:
            return ()
        try:
            with psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
                connection.execute(_PATIENCE)
                return ruled_out(connection, run.platform_run_id, probes)
        except psycopg.Error:
            return ()

    return asked
