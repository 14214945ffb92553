"""The rows of one run leave the admission index, which other runs use, too."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import psycopg

from assay.app.gate.index_tables import make_tables
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

#: keys asked for at a time
KEYS_MAX = 10_000
_CONNECT_TIMEOUT_S = 5
_THERE = "SELECT to_regclass('ig_claims') IS NOT NULL"
#: an epoch is that of one gate, and a gate serves one run: what a crash left without a receipt goes with the rest
_EPOCHS = (
    "SELECT batch >> 32 FROM ig_claims WHERE dedupe_key = ANY(%(keys)s)"
    " UNION SELECT batch >> 32 FROM ig_retakes WHERE dedupe_key = ANY(%(keys)s)"
)
_OWN_EPOCHS = "SELECT epoch FROM ig_epochs WHERE platform_run_id = %(run)s"
_DELETE = (
    ("DELETE FROM ig_begun WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_found WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_scanned WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_released WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_ended WHERE epoch = ANY(%(epochs)s)"),
    ("DELETE FROM ig_epochs WHERE epoch = ANY(%(epochs)s)"),
    ("DELETE FROM ig_retakes WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_claims WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_batches WHERE (batch >> 32) = ANY(%(epochs)s)"),
    ("DELETE FROM ig_marks WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_currencies WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_answers WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_answer_claims WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_segments WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_horizons WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_forgotten WHERE platform_run_id = %(run)s"),
    ("DELETE FROM ig_answers_forgotten WHERE platform_run_id = %(run)s"),
)


def forget_run(dsn: str, platform_run_id: str, keys: Iterable[bytes]) -> int:
    """Delete claims, batches, marks, answers, segments and the currency of a run, all or none; the number of rows.

    `keys` are the dedupe keys of what it admitted.

    Raises Retry(INDEX_UNAVAILABLE), Stop(DATABASE_NOT_MIGRATED).
    """
    left, epochs = iter(keys), set[int]()
    try:
        with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            if connection.execute(_THERE).fetchone() != (True,):
                return 0
            make_tables(connection)  # one of an older version lacks some
            while some := list(islice(left, KEYS_MAX)):
                epochs |= {int(row[0]) for row in connection.execute(_EPOCHS, {"keys": some})}
            epochs |= {int(row[0]) for row in connection.execute(_OWN_EPOCHS, {"run": platform_run_id})}
            given = {"epochs": sorted(epochs), "run": platform_run_id}
            return sum(max(connection.execute(statement, given).rowcount, 0) for statement in _DELETE)
    except psycopg.Error as error:
        what = f"PostgreSQL does not answer: {str(error).strip() or type(error).__name__}"
        remedy = "Start it and run the same command again, or remove the directory only: --local."
        raise Retry(Reason.INDEX_UNAVAILABLE, what, remedy=remedy) from None
