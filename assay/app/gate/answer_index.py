"""Where the answers of a run are found again by payment: rows of PostgreSQL that follow the topic of answers.

The topic is the truth. A row is inserted behind its record, and need not be durable: each new connection first takes what the topic has
beyond the rows, so a row that a crash lost is there again before anybody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from assay.app.gate.index import AdmissionIndex
from assay.app.gate.index_tables import Connection

_ADD = (
    'INSERT INTO ig_answers (dedupe_key, platform_run_id, partition, "offset", answer)'
    " SELECT k, %(run)s, p, o, a FROM unnest(%(keys)s::bytea[], %(partitions)s::int[], %(offsets)s::bigint[], %(values)s::bytea[])"
    " AS given (k, p, o, a) ORDER BY k ON CONFLICT DO NOTHING RETURNING dedupe_key"
)
_CLAIM = (
    "INSERT INTO ig_answer_claims (dedupe_key, platform_run_id, answer)"
    " SELECT k, %(run)s, a FROM unnest(%(keys)s::bytea[], %(values)s::bytea[]) AS given (k, a) ORDER BY k ON CONFLICT DO NOTHING"
)
_CLAIMED = "SELECT dedupe_key, answer FROM ig_answer_claims WHERE dedupe_key = ANY(%s)"
_IN_FLIGHT = "SELECT EXISTS (SELECT FROM ig_standing WHERE dedupe_key = %s AND state = 'IN_FLIGHT')"
_OF = "SELECT dedupe_key, answer FROM ig_answers WHERE dedupe_key = ANY(%s)"
#: a forgotten answer is not taken from the topic again
_PLACES = (
    'SELECT partition, max("offset") + 1 FROM (SELECT partition, "offset" FROM ig_answers WHERE platform_run_id = %(run)s'
    ' UNION ALL SELECT partition, "offset" FROM ig_answers_forgotten WHERE platform_run_id = %(run)s) AS known GROUP BY partition'
)


class Placed(NamedTuple):
    """An answer and its place on the topic: `key` is the dedupe key of its payment, `value` its record."""

    key: bytes
    partition: int
    offset: int
    value: bytes


#: partition → the first offset that is not indexed; gives the answers from there on
Behind: TypeAlias = Callable[[Mapping[int, int]], Iterable[Placed]]


def nothing_behind(_: Mapping[int, int]) -> Iterable[Placed]:
    """Of who only reads the index."""
    return ()


class AnswerIndex(AdmissionIndex):
    """One connection's view, not shared between threads. `behind` reads the topic."""

    def __init__(self, dsn: str, platform_run_id: str, behind: Behind = nothing_behind) -> None:
        super().__init__(dsn, durable=False)
        self._of_run, self._behind = platform_run_id, behind

    def claim_answers(self, answers: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Dedupe key → the answer that is to be written, durably: the one that any process gave first.

        Raises Retry(INDEX_UNAVAILABLE | BROKER_UNREACHABLE).
        """
        return self._run(lambda connection: self._claim_answers(connection, answers))

    def is_in_flight(self, key: bytes) -> bool:
        """Whether the payment with this dedupe key is being admitted. Raises Retry(INDEX_UNAVAILABLE)."""
        return bool(self._run(lambda connection: connection.execute(_IN_FLIGHT, (key,)).fetchone()) == (True,))

    def add(self, answers: Sequence[Placed]) -> dict[bytes, bytes]:
        """Key → the answer that stands, for those that had one. Keys are distinct.

        Raises Retry(INDEX_UNAVAILABLE | BROKER_UNREACHABLE); the next call takes from the topic what this one did not add.
        """
        return self._run(lambda connection: self._add(connection, answers))

    def answer(self, key: bytes) -> bytes | None:
        """The record of the answer to the payment with this dedupe key. Raises Retry(INDEX_UNAVAILABLE)."""
        rows = self._run(lambda connection: connection.execute(_OF, ([key],), binary=True).fetchall())
        return rows[0][1] if rows else None

    def has_any(self) -> bool:
        """Whether anybody was answered in this run. Raises Retry(INDEX_UNAVAILABLE)."""
        return bool(self._run(self._places))

    def _connect(self) -> Connection:
        connection = super()._connect()
        try:
            last = {one.key: one for one in self._behind(self._places(connection))}  # the last one of a payment is what was told
            if last:
                self._add(connection, list(last.values()))
        except BaseException:
            connection.close()
            raise
        return connection

    def _places(self, connection: Connection) -> dict[int, int]:
        return dict(connection.execute(_PLACES, {"run": self._of_run}).fetchall())

    def _claim_answers(self, connection: Connection, answers: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        keys = list(answers)
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")  # a claim that a crashed server forgot would be made again
            connection.execute(_CLAIM, {"run": self._of_run, "keys": keys, "values": list(answers.values())})
        claimed, written = (connection.execute(which, (keys,), binary=True).fetchall() for which in (_CLAIMED, _OF))
        return dict([*claimed, *written])

    def _add(self, connection: Connection, answers: Sequence[Placed]) -> dict[bytes, bytes]:
        given = {
            "run": self._of_run,
            "keys": [one.key for one in answers],
            "partitions": [one.partition for one in answers],
            "offsets": [one.offset for one in answers],
            "values": [one.value for one in answers],
        }
        added = {row[0] for row in connection.execute(_ADD, given, binary=True).fetchall()}
        others = [one.key for one in answers if one.key not in added]
        return dict(connection.execute(_OF, (others,), binary=True).fetchall()) if others else {}
