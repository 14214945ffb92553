"""No component may change a fact: each verb, by each role, on each table of facts is refused by the server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from claims import Claim

from assay.app.authority.port import Equivalence
from assay.app.authority.store import open_authority
from assay.app.database.prepare import prepare
from assay.app.database.rights import COMPONENTS, GATE, HOLDINGS, READ_ONLY, READER, RUNNER, Kind
from assay.app.gate.index import AdmissionIndex
from assay.app.gate.index_marks import Mark, marks_of, move_marks
from assay.app.gate.standing import RecordMetadata
from assay.app.settings import load_settings
from assay.app.substrate import Server
from assay.app.substrate.postgres import start_postgres
from assay.app.substrate.roles import OWNER, address
from assay.contracts.errors import AssayError, Retry, Stop
from assay.contracts.reasons import Reason

pytestmark = pytest.mark.tier1

FACTS = [one.table for one in HOLDINGS if one.kind is Kind.FACTS]
CHANGES = ("UPDATE", "DELETE", "TRUNCATE")
RUN, KEY, INTENT, MINUTE_US = "5" * 32, "a key", "c" * 64, 60_000_000
WRITABLE = "options=-cdefault_transaction_read_only%3Doff"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rights") / "postgres"


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server of ours whose database was prepared, with a row in each table of facts."""
    with start_postgres(home, load_settings(sql="")) as started:
        with pytest.raises(Stop) as refused:
            AdmissionIndex(started.roles.gate).ready()
        assert refused.value.reason is Reason.DATABASE_NOT_MIGRATED, "a gate makes no tables where it is not the owner"
        assert prepare(started.address)[1:] == ("0002", True, tuple(sorted(COMPONENTS)))
        assert prepare(started.address)[1:] == ("0002", False, tuple(sorted(COMPONENTS)))
        index = AdmissionIndex(started.roles.gate)
        claim = Claim(b"k" * 32, b"h" * 32, 1, 2)
        index.claim([claim], 1)
        index.retake([(0, claim)], 2)
        index.settle(2, [RecordMetadata(0, 7)])
        index.pin_currency("run", "EUR")
        for ts_us in (5, 6):
            index.ask(partial(move_marks, platform_run_id="run", moved=partial(dict, traffic=Mark(ts_us, False))))
        assert index.ask(lambda connection: marks_of(connection, "run")) == {"traffic": Mark(6, False)}
        index.close()
        yield started


@pytest.fixture
def runner(server: Server) -> str:
    """The runner's address; its authority did all that a run needs."""
    authority = open_authority(server.roles.runner)
    authority.register(KEY, RUN, INTENT, 1)
    assert authority.register(KEY, RUN, INTENT, 9).run_id == RUN
    lease = authority.acquire(RUN, "a", MINUTE_US, 1)
    assert lease is not None
    assert authority.renew(lease, MINUTE_US, 1)
    authority.release(lease, 1)
    authority.restore(Equivalence(KEY, RUN, INTENT, 1), 0)
    return server.roles.runner


def tried(dsn: str, statement: str) -> str:
    """The name of PostgreSQL's error for a statement, empty for none. What it did is taken back."""
    try:
        with psycopg.connect(dsn) as connection:
            connection.execute(statement)
            connection.rollback()
    except psycopg.Error as error:
        return type(error).__name__
    return ""


def columns(dsn: str, table: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        described = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
    return [column.name for column in described or ()]


@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.parametrize("table", FACTS)
@pytest.mark.parametrize("role", COMPONENTS)
def test_no_component_changes_a_fact(home: Path, server: Server, runner: str, role: str, table: str, verb: str) -> None:
    dsn = f"{address(home, role, server.port)}&{WRITABLE}"
    said = {
        "UPDATE": [f'UPDATE {table} SET "{column}" = "{column}"' for column in columns(server.address, table)],
        "DELETE": [f"DELETE FROM {table}"],
        "TRUNCATE": [f"TRUNCATE {table}"],
    }
    assert {tried(dsn, statement) for statement in said[verb]} == {"InsufficientPrivilege"}
    assert {tried(server.address, statement) for statement in said[verb]} == {""}, "the statement itself is right: the owner may"


@pytest.mark.parametrize("table", [one.table for one in HOLDINGS])
def test_of_the_components_only_its_writer_inserts_into_a_table_and_nobody_alters_it(home: Path, server: Server, table: str) -> None:
    writer, secret = next((one.writer, one.secret) for one in HOLDINGS if one.table == table)
    for role in COMPONENTS:
        dsn = f"{address(home, role, server.port)}&{WRITABLE}"
        statement = f"INSERT INTO {table} SELECT * FROM {table} LIMIT 0"
        assert tried(dsn, statement) == ("" if role == writer else "InsufficientPrivilege")
        granted = f"GRANT ALL ON {table} TO {role}; DELETE FROM {table}"  # a grant that one may not make is a warning only
        for change in (f"ALTER TABLE {table} ADD COLUMN more int", f"DROP TABLE {table}", granted):
            assert tried(dsn, change) == "InsufficientPrivilege"
        assert tried(dsn, f"SELECT * FROM {table}") == ("InsufficientPrivilege" if secret and role != writer else "")


@pytest.mark.parametrize("role", COMPONENTS)
@pytest.mark.parametrize("change", ["INSERT INTO ig_vault_erasures VALUES (1, '')", "DELETE FROM ig_vault_erasures"])
def test_no_component_says_that_a_subject_was_erased_or_was_not(home: Path, server: Server, role: str, change: str) -> None:
    assert tried(f"{address(home, role, server.port)}&{WRITABLE}", change) == "InsufficientPrivilege"
    assert tried(server.address, change) == ""


@pytest.mark.parametrize("call", ["ig_forget_up_to('run')", "ig_forget('run', 10)"])
def test_only_the_gate_calls_what_forgets_ids_and_it_forgets_what_is_beyond_the_horizon_alone(
    home: Path, server: Server, call: str
) -> None:
    for role in COMPONENTS:
        dsn = f"{address(home, role, server.port)}&{WRITABLE}"
        assert tried(dsn, f"SELECT {call}") == ("" if role == GATE else "InsufficientPrivilege")
    gate = f"{address(home, GATE, server.port)}&{WRITABLE}"
    with psycopg.connect(gate) as connection:
        connection.execute("INSERT INTO ig_horizons VALUES ('run', 1000000, 0, NULL) ON CONFLICT DO NOTHING")
        path = "SELECT DISTINCT proconfig FROM pg_proc WHERE proname IN ('ig_forget', 'ig_forget_up_to')"
        assert connection.execute(path).fetchall() == [(["search_path=public, pg_temp"],)], "nobody's tables stand in place of these"
        before = connection.execute("SELECT count(*) FROM ig_claims").fetchone()
        assert connection.execute(f"SELECT {call}").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM ig_claims").fetchone() == before
        connection.rollback()


def test_every_table_of_ours_is_on_the_list(server: Server) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v', 'p', 'm') AND relnamespace = 'public'::regnamespace"
    with psycopg.connect(server.address) as connection:
        there = {row[0] for row in connection.execute(query)}
    assert there == {one.table for one in HOLDINGS} | set(READ_ONLY)


def test_rights_that_somebody_added_are_taken_back(server: Server) -> None:
    for role in (GATE, RUNNER, READER):
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute(f"GRANT UPDATE, DELETE, TRUNCATE ON {', '.join(FACTS)} TO {role}, PUBLIC")
    assert tried(server.roles.gate, "DELETE FROM ig_claims") == ""
    prepare(server.address)
    assert tried(server.roles.gate, "DELETE FROM ig_claims") == "InsufficientPrivilege"


def test_only_an_owner_prepares_a_database(server: Server) -> None:
    with pytest.raises(Retry, match="permission denied"):
        prepare(server.roles.gate)


def test_a_runner_does_not_write_over_a_registry_and_the_owner_does(server: Server, runner: str) -> None:
    other = Equivalence(KEY, RUN, "d" * 64, 1)
    with pytest.raises(AssayError, match="permission denied"):
        open_authority(runner).restore(other, 0)
    open_authority(server.address).restore(other, 0)
    open_authority(server.address).restore(Equivalence(KEY, RUN, INTENT, 1), 0)
    assert OWNER in server.address
