"""`make simulate`: many seeded runs of all lanes with faults, on every core; fails with the seed that failed and how to run it again.

usage: simulate.py [--seeds N] [--first SEED] [--until-failed] or simulate.py --seed SEED. Exit code 1: a seed failed, or a fault met a
boundary less than once in a hundred seeds.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor

from fault_table import met_too_rarely, table, times_met
from rich.console import Console
from seeded_runs import Verdict, judged

from assay.app.progress import ProgressLine

SEEDS = 1_000
#: a cell of the table is to be met once for so many seeds
SEEDS_PER_MEETING = 100
#: seeds that a worker process takes at once
LOT = 5


def main(arguments: list[str]) -> int:
    """Run seeds; the exit code."""
    parser = ArgumentParser(description="Seeded runs of all lanes with faults.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default %(default)s)")
    parser.add_argument("--until-failed", action="store_true", help="one after another, up to the first that fails")
    parser.add_argument("--seed", type=int, help="only this one, with all that happens in it")
    asked = parser.parse_args(arguments)
    logging.disable(logging.WARNING)  # a snapshot that was damaged on purpose is refused with a warning
    if asked.seed is not None:
        verdict = judged(asked.seed)
        print(told(verdict), *(f"  met {planted}" for planted in verdict.met), sep="\n")
        return int(bool(verdict.wrong))
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.until_failed:
        failed = next((verdict for verdict in map(judged, seeds) if verdict.wrong), None)
        print(told(failed) if failed else f"{len(seeds)} seeds, none failed")
        return int(failed is not None)
    return _all(seeds)


def told(verdict: Verdict) -> str:
    """What came of a seed, and how to see it again."""
    head = f"seed {verdict.seed}: {verdict.events} events, {len(verdict.met)} faults met, fingerprint {verdict.fingerprint}"
    if not verdict.wrong:
        return f"{head}: nothing is wrong"
    return "\n".join((f"{head}: FAILED", *(f"  {line}" for line in verdict.wrong), f"  again: {replay_command(verdict.seed)}"))


def replay_command(seed: int) -> str:
    """The command that runs one seed again."""
    return f"make simulate ARGS='--seed {seed}'"


def _all(seeds: range) -> int:
    console, began_s = Console(), time.monotonic()
    verdicts: list[Verdict] = []
    with ProgressLine("seeds", len(seeds), console, time.monotonic) as line, ProcessPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(judged, seeds, chunksize=LOT):
            verdicts.append(verdict)
            if verdict.wrong:
                console.print(told(verdict), markup=False, highlight=False, soft_wrap=True)
            line.show(len(verdicts), f"{sum(bool(one.wrong) for one in verdicts)} failed")
    times, failed = times_met(planted for verdict in verdicts for planted in verdict.met), [one.seed for one in verdicts if one.wrong]
    rare = met_too_rarely(times, len(seeds) // SEEDS_PER_MEETING)
    events, took_s = sum(verdict.events for verdict in verdicts), time.monotonic() - began_s
    print(table(times), *rare, sep="\n")
    print(f"{len(seeds):,} seeds from {seeds.start} on, {events:,} events, {times.total():,} faults met, {took_s:,.0f} s")
    print(f"FAILED: {failed}" if failed else "no seed failed")
    return int(bool(failed or rare))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
