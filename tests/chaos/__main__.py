"""`make chaos`: every fault several times on real Kafka and PostgreSQL, then a longer run under a random schedule of them.

`make chaos ARGS='--count 2 --only frozen,disk_full'` chooses; `--seed N` repeats a run's draws. The exit code is 1 when a promise
was broken. The report is written after every run, so an interrupted one leaves what it has.
"""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path

from chaos.playing import SCENARIOS, Played, play, played
from chaos.report import counted, write_report
from chaos.scenarios import RATE_PER_S
from chaos.scene import Servers, new_scene, started
from chaos.schedule import schedule

from assay.app.settings import load_settings


def main(arguments: list[str]) -> int:
    """Run what was asked for; 0 when every promise was kept."""
    given = _arguments(arguments)
    names = given.only.split(",") if given.only else list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        print(f"chaos: there is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    print(f"seed {given.seed}; report in {given.report}", flush=True)
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="assay-chaos-"))
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        servers = stack.enter_context(started(room, load_settings()))
        runs = _all(given, [name for name in names for _ in range(given.count)], servers, room)
    for name, (passed, ran) in counted(runs).items():
        print(f"{name:40} {passed} of {ran}")
    return int(any(run.problems for run in runs))


def _all(given: Namespace, names: list[str], servers: Servers, room: Path) -> list[Played]:
    """Every scenario, then the schedule; the report grows with each."""
    began_s, runs, total = time.monotonic(), list[Played](), len(names) + bool(given.faults)
    for number in range(total):
        directory, namespace, seed = room / f"run{number}", f"chaos{number}.", given.seed + number
        if number < len(names):
            runs.append(play(names[number], servers, directory, namespace, seed))
        else:
            drawn = schedule(given.seed, given.faults)
            print(f"schedule of seed {given.seed}: {', '.join(name for name, _ in drawn)}", flush=True)
            scene = new_scene(servers, directory, namespace, given.seed, RATE_PER_S)
            runs.append(played("schedule", scene, given.seed, [scenario for _, scenario in drawn]))
        shutil.rmtree(directory, ignore_errors=True)
        wall_s = time.monotonic() - began_s
        write_report(given.report, given.seed, runs, wall_s)
        _say(runs[-1], number + 1, total, wall_s)
    return runs


def _say(run: Played, done: int, total: int, wall_s: float) -> None:
    left_s = wall_s / done * (total - done)
    verdict = "ok" if not run.problems else f"BROKEN: {run.problems[0]}"
    print(f"[{done}/{total}, {left_s / 60:.0f} min left] {run.name} (seed {run.seed}, {run.wall_s:.0f} s): {verdict}", flush=True)


def _arguments(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--count", type=int, default=5, help="how often each scenario runs")
    parser.add_argument("--only", default="", help="scenarios, separated by commas; all if none are named")
    parser.add_argument("--faults", type=int, default=30, help="faults of the schedule at the end; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="decides every draw")
    parser.add_argument("--report", type=Path, default=Path("runs/chaos"), help="directory of chaos.json and chaos.html")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
