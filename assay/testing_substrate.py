"""Pytest fixtures with real servers, and the one way a test may wait.

`kafka` and `postgres` are started once per test session, unless `ASSAY_BUS` and `ASSAY_SQL` name your own, which are then used.
They end with the session, also when it is killed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, MethodType
from typing import TypeVar
from urllib.parse import quote

import psycopg
import pytest

from assay.app.settings import Settings, load_settings
from assay.app.substrate import Server, kafka_at, postgres_at

T = TypeVar("T")


def until(condition: Callable[[], T], deadline_s: float = 30.0, *, every_s: float = 0.02) -> T:
    """The first true value of `condition`, asked again until the deadline; raises AssertionError naming it when time is up."""
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            name = condition.__qualname__ if isinstance(condition, FunctionType | MethodType) else repr(condition)
            raise AssertionError(f"not true within {deadline_s} s: {name}, last value {value!r}")
        time.sleep(every_s)


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of this test session, from the environment."""
    return load_settings()


@pytest.fixture(scope="session")
def server_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of this session's servers and their logs."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def kafka(server_room: Path, settings: Settings) -> Iterator[Server]:
    """A real Apache Kafka; `kafka.address` is its bootstrap servers."""
    server = kafka_at(server_room / "kafka", settings)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(server_room: Path, settings: Settings) -> Iterator[Server]:
    """A real PostgreSQL; `postgres.address` is its URI."""
    server = postgres_at(server_room / "postgres", settings)
    yield server
    server.stop()


@pytest.fixture
def namespace(settings: Settings) -> str:
    """A prefix for topic names that no other test uses."""
    return f"{settings.namespace}t{secrets.token_hex(5)}."


@pytest.fixture
def dsn(postgres: Server) -> Iterator[str]:
    """The URI of an empty schema of its own, dropped after the test."""
    schema = f"t{secrets.token_hex(5)}"
    with psycopg.connect(postgres.address, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # the name is ours: letters and digits
        joint = "&" if "?" in postgres.address else "?"
        yield f"{postgres.address}{joint}options={quote(f'-csearch_path={schema}')}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
