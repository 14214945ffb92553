"""`assay bench WHAT`: measure on this machine; figures for people on the terminal, for machines with --json."""

from __future__ import annotations

import importlib
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from assay.app.cli.paths import refuse_unwritable
from assay.app.screen import Screen, say

#: what can be measured → module with `run(arguments) -> figures`
NAMES = ("lane", "latency", "ingest", "posts", "recovery", "replay", "scale", "small", "sort", "stream", "takeover", "world")
BENCHES = {name: f"assay.app.bench.{name}" for name in NAMES}


def main(arguments: list[str]) -> int:
    """Run `assay bench`."""
    name = arguments[0] if arguments else ""
    parser = ArgumentParser(prog="assay bench", description=__doc__, add_help=name not in BENCHES)
    parser.add_argument(
        "what", choices=BENCHES, metavar="WHAT", help=f"one of {', '.join(NAMES)}; `assay bench WHAT --help` lists its options"
    )
    parser.add_argument("--json", type=Path, help="file to write all figures to; - prints them")
    given, rest = parser.parse_known_args(arguments)
    to_file = given.json is not None and str(given.json) != "-"
    if to_file:
        refuse_unwritable(given.json)
    figures: dict[str, Any] = importlib.import_module(BENCHES[given.what]).run(rest)
    if to_file:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if str(given.json) == "-":
        say(json.dumps(figures, indent=1))
    else:
        _show(figures, Screen(file=sys.stdout))
    return 0


def _show(figures: dict[str, Any], console: Console) -> None:
    """Every figure with a spread as a line; what was measured below."""
    table = Table("figure", "min", "median", "max", title=f"assay bench {figures['bench']}")
    for name, value in figures.items():
        spreads = {name: value} if _is_spread(value) else {f"{name} {of}": s for of, s in value.items()} if _are_spreads(value) else {}
        for line, spread in spreads.items():
            table.add_row(line, *(f"{spread[column]:,}" for column in ("min", "median", "max")))
    console.print(table)
    for one in figures.get("rounds", []):
        told = {key: value for key, value in one.items() if key != "curves"}  # those are for the file and for pictures
        console.print("  " + "  ".join(f"{key} {_plain(value)}" for key, value in told.items()), highlight=False, soft_wrap=True)
    for name, value in figures.get("machine", {}).items():
        console.print(f"  {name}: {value}", highlight=False)


def _is_spread(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"min", "median", "max"}


def _are_spreads(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_is_spread(one) for one in value.values())


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
