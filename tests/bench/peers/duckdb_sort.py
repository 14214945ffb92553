"""DuckDB's own sort of the events of a pack, in a virtual environment of its own: the product does without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.peers.own_environment import environment

from assay.app.bench.event_pack import OUTPUT_ID
from assay.app.settings import Settings

REQUIREMENTS: Final = Path(__file__).with_name("duckdb.txt")
PROGRAM: Final = Path(__file__).with_name("duckdb_program.py")


def prepare(settings: Settings, say: Callable[[str], None]) -> Callable[[Path, Path, int, str], list[str]]:
    """Install, and the command for a pack, a target file, a memory limit in MiB, and what is done: see the program."""
    python = str(environment(settings, say, "duckdb", REQUIREMENTS) / "bin" / "python")

    def command(pack: Path, target: Path, memory_mib: int, what: str) -> list[str]:
        parts = pack / "data" / "layer3" / "6B" / OUTPUT_ID / "part-*.parquet"
        return [python, str(PROGRAM), str(parts), str(target), str(memory_mib), what]

    return command
