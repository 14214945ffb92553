"""Secrets planted in a run: its key, the password of PostgreSQL, that of Kafka; and where they are found afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import topics_there
from assay.app.run.directory import Run
from assay.contracts.topics import topic_named


class Planted(NamedTuple):
    """An address of PostgreSQL with a password in it, variables that carry the other secrets, and all of them as bytes."""

    dsn: str
    variables: dict[str, str]
    words: tuple[bytes, ...]


def planted(folder: Path, dsn: str) -> Planted:
    """Secrets for a run on a given PostgreSQL of ours: a key, the server's own password, a password for a Kafka that asks for none."""
    key, of_kafka = (f"planted-{what}-{secrets.token_hex(8)}" for what in ("key", "kafka"))
    given = urlsplit(dsn)
    options = dict(parse_qsl(given.query))
    of_sql = Path(options.pop("passfile")).read_text().strip().rpartition(":")[2]
    at = given._replace(netloc=f"{given.username}:{of_sql}@{given.hostname}:{given.port}", query=urlencode(options, quote_via=quote))
    properties = folder / "kafka.properties"
    properties.write_text(f"sasl.username=planted\nsasl.password={of_kafka}\n")
    variables = {"ASSAY_API_KEY": key, "ASSAY_BUS_PROPERTIES": str(properties)}
    return Planted(at.geturl(), variables, tuple(word.encode() for word in (key, of_kafka, of_sql)))


def files_with(places: Iterable[Path], words: Iterable[bytes]) -> set[str]:
    """Names of the files below the places that hold one of the words."""
    looked_for = tuple(words)
    files = (file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*"))) if file.is_file())
    return {file.name for file in files if any(word in file.read_bytes() for word in looked_for)}


def told_with(run: Run, words: Iterable[bytes]) -> list[str]:
    """Topics and tables of a run that hold one of the words, in a key, a value, a header or a row."""
    looked_for = tuple(words)
    told = [*_of_topics(run), *_of_tables(run)]
    assert {"topic", "table"} <= {place.partition(" ")[0] for place, _ in told}, "both were looked into"
    return [place for place, data in told if any(word in data for word in looked_for)]


def _of_topics(run: Run) -> Iterator[tuple[str, bytes]]:
    for name in topics_there(run.bootstrap, run.namespace):
        for one in read_records(run.bootstrap, topic_named(name, run.namespace).handle, run.namespace):
            yield f"topic {name}", b" ".join((one.key or b"", one.value or b"", repr(one.headers).encode()))


def _of_tables(run: Run) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(run.dsn) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        for (table,) in tables:
            for row in connection.execute(SQL("SELECT * FROM {}").format(Identifier(table))):
                yield f"table {table}", repr(row).encode()
