"""`assay bench sort`: sorted views of a sealed pack of events, by `assay oracle sort` and by DuckDB, in turn, each in a process of its own.

Ours is the command a user types: seal, gate and digests are verified, truth is dropped, the statistics of raw and sorted rows are computed,
each file is read back, and everything is on the disk at the end. DuckDB's is its own `COPY (… ORDER BY ts_utc, filename, file_row_number)`
of the same columns with the same codec, without any of that. With `--easier` it is measured in two easier tasks, too: `time`, with equal
times in any order, and `lean`, that without columns of one value.
Both have the same memory limit and the same folder. A round counts only if both views hold the same rows in the same order. Wall seconds
are those of the whole process, start included.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import polars as pl

from assay.app.bench.event_pack import OUTPUT_ID, Arrangement, write_pack
from assay.app.bench.lane import machine
from assay.app.bench.peers import sort_rival
from assay.app.bench.stats import spread
from assay.app.progress import ProgressLine
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.stores.objects import DirectoryStore
from assay.app.stream_view.naming import view_root
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: what DuckDB is also measured in
EASIER = ("time", "lean")


def run(arguments: list[str]) -> dict[str, Any]:
    """Measure and give seconds, rows per second, peak memory and the ratio. Raises Stop(BENCH_INVALID) where views differ."""
    given = _arguments(arguments)
    screen = Screen(file=sys.stderr)
    rival = sort_rival()(load_settings(), screen.print) if given.rival else None
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="assay-bench-sort-") as folder:
        room = Path(folder)
        with ProgressLine("writing the pack", given.rows, screen, time.monotonic) as line:
            write_pack(DirectoryStore(room / "pack"), given.rows, given.arrangement, _counted(line))
        rounds = []
        for number in range(given.rounds):
            rounds.append({"round": number, **_round(room, given, rival)})
            screen.print("  " + json.dumps(rounds[-1]), highlight=False, soft_wrap=True)
    wanted = ("rows_per_s", "wall_s", "rss_mib", "duckdb_wall_s", "duckdb_rss_mib", "ratio", *(f"{what}_ratio" for what in EASIER))
    names = [name for name in wanted if name in rounds[0]]
    return {
        "bench": "sort",
        "machine": machine(),
        "measured": f"{given.rows:,} events in parts that are {given.arrangement}, memory {given.memory_mib} MiB",
        "rounds": rounds,
        **{name: spread([one[name] for one in rounds]) for name in names},
    }


def _round(room: Path, given: Namespace, rival: Callable[[Path, Path, int, str], list[str]] | None) -> dict[str, Any]:
    pack, copy = room / "pack", room / "duckdb.parquet"
    shutil.rmtree(pack / "stream_view", ignore_errors=True)
    ours = _process([sys.executable, "-m", "assay", "oracle", "sort", str(pack), "--memory-mib", str(given.memory_mib), "--json"])
    view = ours["told"]["views"][0]
    figures = {
        "wall_s": ours["wall_s"],
        "cpu_s": ours["cpu_s"],
        "rss_mib": ours["rss_mib"],
        "rows_per_s": round(given.rows / ours["wall_s"]),
        "sort_wall_s": view["wall_s"],
        "steps_s": view["steps_s"],
        "spilled_mib": view["spilled_bytes"] >> 20,
    }
    if rival is None:
        return figures
    theirs = _process(rival(pack, copy, given.memory_mib, "view"))
    compare(sorted((pack / view_root(OUTPUT_ID)).glob("part-*.parquet")), copy)
    copy.unlink()
    ratio = round(theirs["wall_s"] / ours["wall_s"], 3)
    told = {f"duckdb_{name}": theirs[name] for name in ("wall_s", "cpu_s", "rss_mib")}
    for what in EASIER if given.easier else ():
        easier = _process(rival(pack, copy, given.memory_mib, what))
        copy.unlink()
        told |= {f"{what}_wall_s": easier["wall_s"], f"{what}_cpu_s": easier["cpu_s"]}
        told[f"{what}_ratio"] = round(easier["wall_s"] / ours["wall_s"], 3)
    return {**figures, **told, "duckdb": theirs["told"]["duckdb"], "ratio": ratio}


def _process(command: Sequence[str]) -> dict[str, Any]:
    """Run a command that prints JSON: its wall and CPU seconds, its peak memory, and what it told."""
    began_s = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        child = subprocess.Popen(command, stdout=out, stderr=errors)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began_s
        out.seek(0)
        errors.seek(0)
        if child.returncode:
            raise Stop(Reason.BENCH_INVALID, f"{command[-1]} ended with {child.returncode}: {errors.read()[-500:]}", where=str(command[0]))
        told = json.loads(out.read())
    cpu_s = round(used.ru_utime + used.ru_stime, 3)
    return {"wall_s": round(wall_s, 3), "cpu_s": cpu_s, "rss_mib": used.ru_maxrss >> 10, "told": told}


def compare(ours: Sequence[Path], copy: Path) -> None:
    """Both hold the same rows in the same order."""
    begin = 0
    for path in ours:
        mine = pl.read_parquet(path, hive_partitioning=False)
        theirs = pl.scan_parquet(copy).slice(begin, len(mine)).select(mine.columns).collect()
        if not theirs.with_columns(pl.col(name).cast(mine.schema[name]) for name in mine.columns).equals(mine):
            raise Stop(Reason.BENCH_INVALID, "DuckDB's view holds other rows, or in another order", where=str(path))
        begin += len(mine)
    if begin != pl.scan_parquet(copy).select(pl.len()).collect().item():
        raise Stop(Reason.BENCH_INVALID, "DuckDB's view has another number of rows", where=str(copy))


def _counted(line: ProgressLine) -> Callable[[int], object]:
    written = 0

    def tell(rows: int) -> None:
        nonlocal written
        written += rows
        line.show(written)

    return tell


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="assay bench sort", description=__doc__, epilog="Example: assay bench sort --json sort.json")
    parser.add_argument("--rows", type=int, default=20_000_000, help="events of the pack; an even number")
    parser.add_argument("--memory-mib", type=int, default=2048, help="the memory limit of both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--arrangement", choices=get_args(Arrangement), default="following",
        help="parts that follow one another in time, as those of a world, or parts that all have events of all days",
    )  # fmt: skip
    parser.add_argument("--rival", action=BooleanOptionalAction, default=True, help="DuckDB in the same rounds; a checkout has it")
    parser.add_argument("--easier", action="store_true", help="also DuckDB in two easier tasks")
    parser.add_argument("--folder", type=Path, help="where pack and views are written; the system's folder for temporary files if left out")
    return parser.parse_args(arguments)
