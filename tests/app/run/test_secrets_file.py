"""Keys and passwords of a run stand in a file of their own: `run.json` holds none, and another machine gets them by settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assay_command import assay

from assay.app.bench.lane import bench_config
from assay.app.run.directory import RUN_LAYOUT, Run
from assay.app.run.keys import RunKeys
from assay.app.run.secrets_file import SECRETS
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

KEY, EARLIER, WORD = "planted-key", "planted-earlier-key", "planted-word"
DSN = f"postgresql://gate:{WORD}@db.example.org:5432/assay?sslmode=require"
READER = f"postgresql://reader:{WORD}@db.example.org/assay"
HIDDEN = "postgresql://gate:…@db.example.org:5432/assay?sslmode=require"


def a_run(directory: Path) -> Run:
    """A run with every secret, on disk."""
    made = Run(
        directory=directory, config=bench_config(), bootstrap="b:1", dsn=DSN, reader_dsn=READER, api_key=KEY, earlier_api_key=EARLIER
    )
    made.save()
    return made


def test_the_wiring_holds_no_secret_and_names_the_file_that_does(tmp_path: Path) -> None:
    made = a_run(tmp_path)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert not [word for word in (KEY, EARLIER, WORD) if word in text + repr(made)]
    held = json.loads(text)
    assert (held["secrets"], held["dsn"], held["layout"]) == (SECRETS, HIDDEN, RUN_LAYOUT)
    assert Run.load(tmp_path) == made


def test_another_machine_gets_the_secrets_by_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = a_run(tmp_path / "run")
    (tmp_path / "run" / SECRETS).rename(tmp_path / "mounted.json")
    monkeypatch.setenv("ASSAY_SECRETS", str(tmp_path / "mounted.json"))
    assert Run.load(tmp_path / "run") == made
    keys = RunKeys(Run.load(tmp_path / "run"))
    assert keys.accepts(KEY.encode())
    (tmp_path / "mounted.json").write_text(json.dumps({"api_key": "another"}))
    assert (keys.accepts(KEY.encode()), keys.accepts(b"another")) == (False, True)


def test_another_machine_gets_the_secrets_by_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path)
    (tmp_path / SECRETS).unlink()
    assert (Run.load(tmp_path).api_key, Run.load(tmp_path).dsn) == ("", HIDDEN)
    monkeypatch.setenv("ASSAY_API_KEY", KEY)
    monkeypatch.setenv("ASSAY_SQL", DSN)
    found = Run.load(tmp_path)
    assert (found.api_key, found.dsn, found.reader_dsn) == (KEY, DSN, DSN)
    assert RunKeys(found).accepts(KEY.encode())


@pytest.mark.parametrize("held", [b"", b"[]", b"\xff", b'{"api_key": 7}', b'{"unheard_of": "planted-word"}', b"[" * 5_000])
def test_a_file_of_secrets_that_cannot_be_read_is_refused_without_what_it_holds(tmp_path: Path, held: bytes) -> None:
    a_run(tmp_path)
    (tmp_path / SECRETS).write_bytes(held)
    with pytest.raises(Stop) as refused:
        Run.load(tmp_path)
    assert (refused.value.reason, refused.value.where) == (Reason.RUN_MISSING, str(tmp_path / SECRETS))
    assert WORD not in str(refused.value)


@pytest.mark.parametrize("name", [7, None, "", "../secrets.json", "x" * 5_000, "a\0b"])
def test_a_wiring_that_names_another_file_of_secrets_is_refused(tmp_path: Path, name: object) -> None:
    a_run(tmp_path)
    held = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(held | {"secrets": name}))
    with pytest.raises(Stop, match=r"another file than secrets\.json") as refused:
        Run.load(tmp_path)
    assert refused.value.reason is Reason.RUN_MISSING


@pytest.mark.parametrize("command", [("key", "show"), ("key", "rotate"), ("gate", "serve"), ("stream",), ("labels", "deliver")])
def test_what_needs_the_key_is_refused_where_it_is_not(tmp_path: Path, command: tuple[str, ...]) -> None:
    a_run(tmp_path)
    (tmp_path / SECRETS).unlink()
    ended = assay(*command, "--run", tmp_path, ASSAY_API_KEY="", ASSAY_SECRETS="", ASSAY_SQL="")
    assert (ended.code, ended.out) == (66, "")
    assert "RUN_KEY_MISSING" in ended.err
