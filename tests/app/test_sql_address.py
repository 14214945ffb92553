"""A password of PostgreSQL is never printed: not in an address, not in an error about it, not by a command."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from assay_command import assay
from hypothesis import given
from hypothesis import strategies as st

from assay.app.bench.lane import bench_config
from assay.app.bus.errors import unreachable
from assay.app.gate.index import AdmissionIndex
from assay.app.run.directory import Run
from assay.app.sql_address import shown, told
from assay.app.substrate import Server, state
from assay.contracts.errors import Retry, Stop

HELD = "s3cret"


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("postgresql://u:s3cret@h:5432/db", "postgresql://u:…@h:5432/db"),
        ("postgresql://u:s3@cret@h/db", "postgresql://u:…@h/db"),
        ("postgresql://u:@h/db", "postgresql://u:…@h/db"),
        ("postgresql://u@h/db?password=s3cret&sslmode=require", "postgresql://u@h/db?password=…&sslmode=require"),
        ("postgresql://u@h/db?sslpassword=s3cret", "postgresql://u@h/db?sslpassword=…"),
        ("postgresql://u@h:5432/db?passfile=/a/passfile", "postgresql://u@h:5432/db?passfile=/a/passfile"),
        ("postgresql://h:5432/db", "postgresql://h:5432/db"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, seen: str) -> None:
    assert shown(address) == seen


@given(st.text("ab@:%/?3", min_size=3, max_size=12), st.sampled_from(["//u:{}@h/db", "//u@h/db?password={}"]))
def test_an_error_that_quotes_a_password_whole_is_told_without_it(password: str, form: str) -> None:
    if "?" in form and "&" in password:
        return
    said = told(ValueError(f'invalid token: "{password}"'), "postgresql:" + form.format(password))
    assert password not in said


def test_the_text_of_an_error_is_its_first_line_or_its_kind() -> None:
    assert told(psycopg.OperationalError("one\ntwo"), "postgresql://h/db") == "one"
    assert told(psycopg.OperationalError(""), "postgresql://h/db") == "OperationalError"


def test_the_gates_index_refuses_without_the_password() -> None:
    index = AdmissionIndex(f"postgresql://u:{HELD}%zz@127.0.0.1:1/db")
    with pytest.raises(Retry) as refused:
        index.ready()
    assert HELD not in str(refused.value)
    assert "does not answer" in refused.value.what


def test_a_server_that_was_given_is_listed_without_its_password(tmp_path: Path) -> None:
    address = f"postgresql://u:{HELD}@db.example.org:5432/db"
    state.write(tmp_path, [Server("postgres", 5432, address), Server("kafka", 9092, "b.example.org:9092")])
    listed, facts = (assay("substrate", "status", *more, "--dir", tmp_path) for more in ((), ("--json",)))
    assert HELD not in listed.text + facts.text
    assert "address postgresql://u:…@db.example.org:5432/db" in listed.out
    assert json.loads(facts.out)[0]["address"] == "postgresql://u:…@db.example.org:5432/db"


def test_a_run_file_that_cannot_be_read_is_refused_without_what_it_holds(tmp_path: Path) -> None:
    run = Run(directory=tmp_path, config=bench_config(), bootstrap="", dsn=f"postgresql://u:{HELD}@h/db", api_key=f"key {HELD}")
    run.save()
    fields = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**fields, "partitions": HELD, "unheard_of": HELD}))
    with pytest.raises(Stop, match=r"partitions: .*unheard_of: ") as refused:
        Run.load(tmp_path)
    assert HELD not in str(refused.value)


@pytest.mark.parametrize(
    ("bootstrap", "ours"),
    [("127.0.0.1:20000", True), ("127.0.0.1:9092", False), ("kafka.example.org:20000", False), ("a:20001,b:20002", False), ("", False)],
)
def test_only_a_broker_of_ours_is_said_to_be_started_by_us(bootstrap: str, ours: bool) -> None:
    assert ("assay substrate up" in unreachable("away", bootstrap).remedy) is ours
