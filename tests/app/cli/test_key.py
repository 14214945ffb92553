"""`assay key` prints the key for a script only where it is asked for, and changes it."""

from __future__ import annotations

import json
from pathlib import Path

from assay_command import assay

from assay.app.bench.lane import bench_config
from assay.app.run.directory import Run


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
    for command in ("show", "rotate", "retire"):
        ended = assay("key", command, "--run", tmp_path)
        assert (ended.code, ended.out, ended.err.startswith("assay key: RUN_MISSING: ")) == (66, "", True)
        assert list(tmp_path.iterdir()) == []
