"""`make engine`: the engine's known troubles on stock Faust, each as often as asked, and how often each showed."""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from collections import Counter
from pathlib import Path

from assay.app.settings import load_settings
from assay.app.substrate import kafka_at
from engine.bench import Bench
from engine.controls import SCENARIOS


def main() -> None:
    """Run, print a line per run and a JSON object of counts at the end."""
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all if none is named")
    parser.add_argument("--runs", type=int, default=1, help="of each scenario (1)")
    parser.add_argument("--directory", type=Path, help="where the workers' logs stay; without it they go with the command")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.scenarios) - set(SCENARIOS))
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}")
    counts: dict[str, Counter[str]] = {name: Counter() for name in chosen.scenarios or SCENARIOS}
    with tempfile.TemporaryDirectory() as room, kafka_at(Path(room) / "kafka", load_settings()) as kafka:
        for _ in range(chosen.runs):
            for name, counted in counts.items():
                counted[outcome(name, kafka.address, chosen.directory or Path(room))] += 1
    print(json.dumps(counts, indent=1))


def outcome(name: str, bootstrap: str, room: Path) -> str:
    """One run of a scenario: `shown`, `not shown`, or `no run` when what it needs did not come about."""
    directory = room / f"{name}-{secrets.token_hex(4)}"
    directory.mkdir(parents=True)
    bench = Bench(bootstrap, directory.name.replace("_", "-"), directory)
    try:
        seen = SCENARIOS[name](bench)
        verdict, what = "shown" if seen.shown else "not shown", seen.what
    except AssertionError as error:
        verdict, what = "no run", str(error)
    finally:
        bench.close()
    print(f"{name:21} {verdict:9} {what}", flush=True)
    return verdict


if __name__ == "__main__":
    main()
