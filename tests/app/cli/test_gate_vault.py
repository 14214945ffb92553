"""`assay gate vault` and `assay up` refuse what cannot be done before anything is asked or started; no message tells an id or a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from assay_command import assay
from gate_process import KEY

from assay.app.demo.new_run import live_config
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run

SECRET, SEEN = "of the vault, for tests only " * 2, "id-in-clear"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    config = live_config("platform_20260101T000000Z", load_policy("handbook"))
    dsn = "postgresql://nobody@127.0.0.1:9/none"
    Run(directory=tmp_path / "run", config=config, bootstrap="127.0.0.1:9", dsn=dsn, api_key=KEY).save()
    (tmp_path / "ids").write_text(f"{SEEN}\n\n")
    (tmp_path / "none").write_text(" \n")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("options", "secret", "code", "told"),
    [
        ("", SECRET, 2, "ids come from a file or from stdin"),
        ("--id-file ids --id-stdin", SECRET, 2, "ids come from a file or from stdin"),
        ("--id-file none", SECRET, 2, "there is no id"),
        ("--id-file nowhere", SECRET, 66, "INPUT_FILE_MISSING"),
        ("--id-file ids", "", 66, "VAULT_KEY_MISSING: the run pseudonymises ids, and the vault has no key (at IG_VAULT_KEY)"),
        ("--id-file ids", SECRET, 75, "DATABASE_SILENT: the vault does not answer"),
    ],
)
@pytest.mark.parametrize("verb", ["show", "erase"])
def test_a_call_that_cannot_be_answered_says_why(run: Path, verb: str, options: str, secret: str, code: int, told: str) -> None:
    ended = assay("gate", "vault", verb, "--run", "run", "--entity", "card", *options.split(), cwd=run.parent, IG_VAULT_KEY=secret)
    assert (ended.code, told in ended.err) == (code, True), ended
    assert [word for word in (SEEN, SECRET) if word in ended.text] == []


@pytest.mark.parametrize(
    ("option", "code", "told"),
    [("customer", 66, "VAULT_KEY_MISSING"), ("costumer", 65, "ENTITY_UNKNOWN")],
)
def test_up_starts_nothing_for_ids_that_it_cannot_replace(tmp_path: Path, option: str, code: int, told: str) -> None:
    ended = assay("up", "--run", "live", "--pseudonymise", option, cwd=tmp_path, IG_VAULT_KEY="")
    assert (told in ended.err, ended.code, list(tmp_path.iterdir())) == (True, code if option == "customer" else ended.code, []), ended
