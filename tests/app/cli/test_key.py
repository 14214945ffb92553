"""`assay key` prints the key for a script only where it is asked for, and changes it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from assay_command import assay

from assay.app.bench.lane import bench_config
from assay.app.gate.service_token import caller_of
from assay.app.run.directory import Run
from assay.contracts import instants


def a_run(directory: Path) -> Run:
    """A run on disk."""
    made = Run(directory=directory, config=bench_config(), bootstrap="127.0.0.1:1", dsn="", api_key="first")
    made.save()
    return made


def test_a_script_gets_the_present_key_and_a_rotation_prints_none(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    at = ("--run", tmp_path)
    assert assay("key", "show", *at) == (0, "first\n", "")
    rotated = assay("key", "rotate", *at)
    second = Run.load(tmp_path).api_key
    told = f"{tmp_path} has a new key: `assay key show --run {tmp_path}` prints it.\nThe key before stays valid until `assay key retire`.\n"
    assert rotated == (0, told, "")
    again = assay("key", "rotate", *at)
    assert (again.code, again.out, again.err.startswith("assay key: KEY_NOT_RETIRED: ")) == (70, "", True)
    shown = json.loads(assay("key", "show", "--json", *at).out)
    assert shown == {"run": run.platform_run_id, "valid_keys": 2, "key": second}
    assert assay("key", "retire", *at).out == f"the key before is refused from now on; {tmp_path} has one key\n"
    assert json.loads(assay("key", "retire", "--json", *at).out) == {"run": run.platform_run_id, "valid_keys": 1, "retired": False}


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    for command in (["show"], ["rotate"], ["retire"], ["retire", "a"], ["add", "--actor", "a"], ["list"]):
        ended = assay("key", *command, "--run", tmp_path)
        assert (ended.code, ended.out, ended.err.startswith("assay key: RUN_MISSING: ")) == (66, "", True)
        assert list(tmp_path.iterdir()) == []


def test_a_named_key_is_printed_once_listed_without_itself_and_retired_by_name(tmp_path: Path) -> None:
    a_run(tmp_path)
    at = ("--run", tmp_path)
    assert assay("key", "list", *at).out == "no named keys: the key of the run alone is valid\n"
    key = assay("key", "add", "--actor", "switch-1", *at).out.strip()
    made = json.loads(assay("key", "add", "--actor", "ana", "--human", "--json", *at).out)
    assert (len(key), made["actor_id"], len(made["key"])) == (32, "HUMAN::ana", 32)
    listed = json.loads(assay("key", "list", "--json", *at).out)["keys"]
    assert [one["actor_id"] for one in listed] == ["SYSTEM::switch-1", "HUMAN::ana"]
    shown = assay("key", "list", *at)
    assert (f"{made['key_id']}  HUMAN::ana  since " in shown.out, key in shown.text) == (True, False)
    assert assay("key", "retire", "ana", *at).out == f"{made['key_id']} of HUMAN::ana is refused from now on\n"
    assert json.loads(assay("key", "retire", listed[0]["key_id"], "--json", *at).out) == {"retired": [listed[0]]}
    again = assay("key", "retire", "ana", *at)
    assert (again.code, "CALLER_KEY_UNKNOWN" in again.err) == (66, True)


SIGNS = "planted-secret-for-tokens-000000"


def test_a_token_is_what_a_gate_of_this_run_takes_for_as_long_as_asked(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    given: dict[str, Any] = {"IG_SERVICE_TOKEN_SECRETS": f"{SIGNS},{SIGNS[::-1]}"}
    before_s = time.time()
    made = json.loads(assay("key", "token", "--actor", "switch-1", "--for", "15min", "--run", tmp_path, "--json", **given).out)
    until_s = instants.parse(made["valid_until_utc"]) / 1e6
    assert before_s + 899 <= until_s <= time.time() + 900
    assert (made["actor"], made["audience"]) == ("switch-1", run.platform_run_id)
    assert caller_of(made["token"].encode(), (SIGNS,), run.platform_run_id, before_s).principal == "switch-1"
    other = assay("key", "token", "--actor", "a", "--audience", "b", **given).out.strip()
    assert caller_of(other.encode(), (SIGNS,), "b", before_s).actor_id == "SYSTEM::a"


@pytest.mark.parametrize(
    ("options", "variables", "told"),
    [
        (["--audience", "b"], {"IG_SERVICE_TOKEN_SECRETS": ""}, "a token needs a secret that signs it (at IG_SERVICE_TOKEN_SECRETS)"),
        ([], {"IG_SERVICE_TOKEN_SECRETS": SIGNS}, "a token needs to be for somebody"),
        (["--audience", "b"], {"IG_SERVICE_TOKEN_SECRETS": SIGNS[:31]}, "fewer than 32 characters"),
        (["--audience", "b", "--for", "soon"], {"IG_SERVICE_TOKEN_SECRETS": SIGNS}, "DURATION_INVALID"),
        (["--audience", "b", "--actor", "two words"], {"IG_SERVICE_TOKEN_SECRETS": SIGNS}, "ACTOR_NAME_INVALID"),
    ],
)
def test_a_token_that_no_gate_would_take_is_not_made(options: list[str], variables: dict[str, Any], told: str) -> None:
    ended = assay("key", "token", "--actor", "a", *options, **variables)
    assert (ended.code != 0, ended.out, told in ended.err) == (True, "", True), ended.text
    assert SIGNS[:31] not in ended.text
