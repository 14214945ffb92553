"""The directory of a real run, against the table of `docs/commands.md`."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from source_tree import ROOT


def documented(page: str) -> dict[str, bool]:
    """Patterns of paths in the first table about a run's directory, and whether each run has it."""
    table = page.split("## A run and its directory", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", table, re.MULTILINE)
    return {pattern: ", if " not in meaning for paths, meaning in rows for pattern in re.findall(r"`([^`]+)`", paths)}


def layout_faults(directory: Path, page: str | None = None) -> list[str]:
    """What lies in the directory and not in the table, and what is missing from the directory."""
    told = documented((ROOT / "docs" / "commands.md").read_text(encoding="utf-8") if page is None else page)
    there = sorted(f"{path.name}/" if path.is_dir() else path.name for path in directory.iterdir())
    unknown = [name for name in there if not any(fnmatch(name, pattern) for pattern in told)]
    missing = [pattern for pattern, always in told.items() if always and not any(fnmatch(name, pattern) for name in there)]
    return [*(f"{name} is not in the table" for name in unknown), *(f"{pattern} is not there" for pattern in missing)]
