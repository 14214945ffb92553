"""Every command that prints facts prints them as JSON, too; every command says in its help how it is called."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from small_worlds import ROWS, write
from typer.main import get_command

from assay.app.cli import COMMANDS, main

#: commands without --json, and why
NO_JSON = {
    "demo": "its facts are those of `report --json`",
    "up": "as demo",
    "prove": "as demo",
    "sr serve": "a process; its answers are JSON",
    "sr quarantine": "a group: `list` and `show` have it",
    "profile settle": "says nothing, or refuses",
    "worker": "a process; its facts are metrics",
    "gate serve": "a process; its facts are metrics",
    "gate vault": "a group: `show` and `erase` have it",
    "stream": "a process of a run",
    "labels deliver": "a process of a run",
    "connect kafka": "a process of a run",
    "contracts schema": "a schema of Avro is JSON",
    "contracts topology": "its text is a golden file",
    "contracts docs": "writes files",
    "contracts release": "writes files",
    "policy new": "writes files; `policy check --json` says what they are",
    "substrate prepare": "fetches files",
    "runs remove": "asks",
    "completion": "prints a script",
    "bench": "has --json FILE, read by argparse",
}


def leaves() -> Iterator[tuple[str, list[str]]]:
    """(command with its subcommand, its options) of the whole command line."""
    for name, (module, _) in COMMANDS.items():
        app = vars(importlib.import_module(module)).get("app")
        if not isinstance(app, typer.Typer):
            yield name, []
            continue
        command = get_command(app)
        inner = vars(command).get("commands")
        for at, leaf in inner.items() if inner else [("", command)]:
            yield f"{name} {at}".strip(), [option for parameter in leaf.params for option in parameter.opts]


def test_every_command_that_prints_facts_has_json() -> None:
    assert sorted(name for name, options in leaves() if "--json" not in options) == sorted(NO_JSON)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    assert end.value.code == 0, capsys.readouterr()
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_world_is_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = str(tmp_path / "in.csv"), str(tmp_path / "store")
    wrote = told(capsys, "oracle", "generate", "--shape", "transfers", "--rows", "50", "--out", file, "--json")
    assert wrote == {"rows": 50, "file": file, "mapping": "transfers"}
    world = told(capsys, "oracle", "import", file, "--mapping", "transfers", "--out", store, "--json")
    assert (world["rows"], world["currencies"]) == (50, ["EUR", "GBP"])
    assert told(capsys, "oracle", "check", str(world["manifest_fingerprint"]), "--store", store, "--json") == world


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("contracts check", {"topics", "edges", "key_vectors", "record_schemas", "released"}),
        ("substrate down --dir none", {"stopped", "data"}),
        ("oracle sample paysim --out paysim.csv --rows 20", {"rows", "file", "mapping"}),
    ],
)
def test_json_is_the_only_thing_on_standard_output(
    arguments: str, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.csv", ROWS)
    assert set(told(capsys, *arguments.split(), "--json")) == names
