"""Keys with names: each says who sends it, a change needs no restart, and the file holds no key."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from assay.app.bench.lane import bench_config
from assay.app.run.caller_keys import CALLER_KEYS, CallerKeys, add, caller_keys_path, keys_in, retire
from assay.app.run.directory import Run
from assay.contracts.caller import Caller
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

AT = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    Run(directory=tmp_path, config=bench_config(), bootstrap="127.0.0.1:1", dsn="", api_key="of the run").save()
    return tmp_path


def sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def test_a_key_names_its_actor_from_when_it_is_added_until_it_is_retired(run: Path) -> None:
    known = CallerKeys(run / CALLER_KEYS)
    first, key = add(run, "switch-1", "SYSTEM", AT)
    second, other = add(run, "ana@bank", "HUMAN", AT)
    assert known.caller_of(sha256(key)) == Caller("SYSTEM::switch-1", "SYSTEM", "api_key", first.key_id)
    assert known.caller_of(sha256(other)) == Caller("HUMAN::ana@bank", "HUMAN", "api_key", second.key_id)
    assert known.caller_of(sha256("of the run")) is None
    assert retire(run, first.key_id) == (first,)
    assert (known.caller_of(sha256(key)), known.caller_of(sha256(other))) == (None, second.caller)


def test_an_actor_has_two_keys_while_it_changes_over_and_its_name_retires_all(run: Path) -> None:
    keys = [add(run, "switch-1", "SYSTEM", AT) for _ in range(2)]
    kept, _ = add(run, "switch-2", "SYSTEM", AT)
    known = CallerKeys(run / CALLER_KEYS)
    assert [known.caller_of(sha256(key)) for _, key in keys] == [made.caller for made, _ in keys]
    assert keys[0][1] != keys[1][1]
    assert len(retire(run, "switch-1")) == 2
    assert keys_in(run / CALLER_KEYS) == (kept,)


def test_the_file_is_for_its_owner_only_and_holds_no_key(run: Path) -> None:
    before = os.umask(0)
    try:
        _, key = add(run, "switch-1", "SYSTEM", AT)
    finally:
        os.umask(before)
    file = run / CALLER_KEYS
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text()
    assert [path.name for path in run.iterdir() if path.is_file() and key.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("name", ["", " ", "two words", "-dash", "a" * 65, "new\nline", "ünï", 'quote"'])
def test_a_name_that_could_be_misread_in_a_receipt_is_refused(run: Path, name: str) -> None:
    with pytest.raises(Quarantine) as refused:
        add(run, name, "SYSTEM", AT)
    assert refused.value.reason is Reason.ACTOR_NAME_INVALID
    assert not (run / CALLER_KEYS).exists()


def test_what_is_not_there_cannot_be_retired(run: Path) -> None:
    with pytest.raises(Stop) as refused:
        retire(run, "nobody")
    assert (refused.value.reason, refused.value.exit_code) == (Reason.CALLER_KEY_UNKNOWN, 66)


@pytest.mark.parametrize("held", ["", "[]", '{"keys": [{"key_id": "planted"}]}', '{"keys": [], "more": 1}'])
def test_a_damaged_file_stops_a_start_and_leaves_a_running_gate_its_keys(run: Path, held: str, caplog: pytest.LogCaptureFixture) -> None:
    made, key = add(run, "switch-1", "SYSTEM", AT)
    known = CallerKeys(run / CALLER_KEYS)
    (run / CALLER_KEYS).write_text(held)
    assert known.caller_of(sha256(key)) == made.caller
    assert known.caller_of(sha256(key)) == made.caller
    assert (len(caplog.records), "planted" in caplog.text) == (1, False)
    with pytest.raises(Stop) as refused:
        CallerKeys(run / CALLER_KEYS)
    assert refused.value.reason is Reason.CALLER_KEYS_INVALID


def test_a_setting_names_another_file(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    monkeypatch.setenv("ASSAY_CALLER_KEYS", str(elsewhere))
    add(run, "switch-1", "SYSTEM", AT)
    assert (caller_keys_path(run), (run / CALLER_KEYS).exists(), len(keys_in(elsewhere))) == (elsewhere, False, 1)


def test_no_file_is_left_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="RUN_MISSING"):
        add(tmp_path, "switch-1", "SYSTEM", AT)
    assert list(tmp_path.iterdir()) == []


def test_a_second_fault_of_the_file_is_told_again(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    made, key = add(run, "switch-1", "SYSTEM", AT)
    known, good = CallerKeys(run / CALLER_KEYS), (run / CALLER_KEYS).read_text()
    for held, faults in (("", 1), (good, 1), ("[]", 2)):
        (run / CALLER_KEYS).write_text(held)
        assert (known.caller_of(sha256(key)), len(caplog.records)) == (made.caller, faults)
