"""Two keys are valid while callers change over, a change needs no restart, and the file is for its owner only."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from assay.app.bench.lane import bench_config
from assay.app.run.directory import Run
from assay.app.run.keys import RunKeys, retire, rotate
from assay.app.run.secrets_file import SECRETS
from assay.contracts.api_key import key_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def a_run(directory: Path, key: str = "first") -> Run:
    """A run on disk."""
    made = Run(directory=directory, config=bench_config(), bootstrap="127.0.0.1:1", dsn="", api_key=key)
    made.save()
    return made


def test_both_keys_are_valid_until_the_earlier_one_is_retired_and_nobody_restarts(tmp_path: Path) -> None:
    keys = RunKeys(a_run(tmp_path))
    assert (keys.accepts(b"first"), keys.accepts(b"second")) == (True, False)
    second = rotate(tmp_path).api_key
    assert (keys.accepts(b"first"), keys.accepts(second.encode())) == (True, True)
    assert retire(tmp_path) is True
    assert (keys.accepts(b"first"), keys.accepts(second.encode())) == (False, True)
    assert retire(tmp_path) is False
    third = rotate(tmp_path).api_key
    assert [keys.accepts(key.encode()) for key in ("first", second, third)] == [False, True, True]


def test_a_change_between_reading_a_run_and_making_its_keys_is_seen(tmp_path: Path) -> None:
    before = a_run(tmp_path)
    rotate(tmp_path)
    retire(tmp_path)
    assert RunKeys(before).accepts(b"first") is False


def test_a_third_key_is_refused_while_two_are_valid(tmp_path: Path) -> None:
    a_run(tmp_path)
    present = rotate(tmp_path)
    with pytest.raises(Stop, match="assay key retire") as refused:
        rotate(tmp_path)
    assert (refused.value.reason, Run.load(tmp_path).api_key) == (Reason.KEY_NOT_RETIRED, present.api_key)


@pytest.mark.parametrize("given", [b"", b"firs", b"first ", b"FIRST", b"f\xffirst", b"x" * 100_000])
def test_anything_else_is_no_key(tmp_path: Path, given: bytes) -> None:
    assert RunKeys(a_run(tmp_path)).accepts(given) is False


def test_a_run_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    assert RunKeys(a_run(tmp_path, "")).accepts(b"") is False


@pytest.mark.parametrize(
    ("name", "held"),
    [("run.json", None), ("run.json", b""), ("run.json", b"{}"), (SECRETS, None), (SECRETS, b""), (SECRETS, b"[]"), (SECRETS, b"{}")],
)
def test_the_keys_read_last_stay_valid_while_a_file_cannot_be_read(
    tmp_path: Path, name: str, held: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    keys = RunKeys(a_run(tmp_path))
    assert keys.accepts(b"first")
    file = tmp_path / name
    if held is None:
        file.unlink()
    else:
        file.write_bytes(held)
    assert keys.accepts(b"first")
    assert keys.accepts(b"first")
    assert len(caplog.records) == 1
    assert "first" not in caplog.text
    a_run(tmp_path, "other")
    assert (keys.accepts(b"first"), keys.accepts(b"other")) == (False, True)


def test_a_change_that_could_not_be_read_at_first_is_seen_when_it_can_be(tmp_path: Path) -> None:
    keys = RunKeys(a_run(tmp_path))
    second = rotate(tmp_path).api_key
    assert keys.accepts(b"first")
    retire(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))  # as in a flood of connections: no file can be opened
    try:
        meanwhile = keys.accepts(b"first")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (meanwhile, keys.accepts(b"first"), keys.accepts(second.encode())) == (True, False, True)


def test_the_file_is_for_its_owner_only_before_and_after_a_rotation(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = a_run(tmp_path)
        rotate(tmp_path)
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "run.json", tmp_path / SECRETS)] == [0o600, 0o600]
    assert "first" not in repr(Run.load(tmp_path))
    assert made.api_key == Run.load(tmp_path).earlier_api_key


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, b""),
        ({"X-IG-Api-Key": "k"}, b"k"),
        ({"Authorization": "Bearer k"}, b"k"),
        ({"Authorization": "Basic k"}, b""),
        ({"Authorization": "Bearer"}, b""),
        ({"X-IG-Api-Key": "k", "Authorization": "Bearer other"}, b"k"),
    ],
)
def test_a_key_comes_in_a_header_of_its_own_or_as_a_bearer_token(headers: dict[str, str], key: bytes) -> None:
    assert key_of(headers) == key
