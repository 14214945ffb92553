"""`make fuzz`: a campaign over every decoder and the gate's admission, each in a process of its own.

A decoder of compiled code is met again with its array accesses checked. An input that breaks a law, or that the process died of, is
kept and named with the command that meets it again.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from fuzz.engine import Target, run, save
from fuzz.registry import TARGETS, shares

REPORT_EVERY_S: Final = 5.0
CHECKED_PART: Final = 20
SIZE_BYTES: Final = 4


class Progress:
    """Keeps the input under way where it survives the process, and says now and then how far it is."""

    def __init__(self, name: str, count: int, kept: Path) -> None:
        self._name, self._count = name, count
        self._began = self._said = time.monotonic()
        self._file = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.data = b""

    def __call__(self, number: int, data: bytes) -> None:
        """Told of each input before it is met."""
        self.data = data
        os.pwrite(self._file, len(data).to_bytes(SIZE_BYTES, "little") + data, 0)
        now = time.monotonic()
        if now - self._said >= REPORT_EVERY_S:
            self._said, rate = now, max(number, 1) / (now - self._began)
            print(f"  {self._name}: {number:,} of {self._count:,}, {rate:,.0f}/s, {(self._count - number) / rate:,.0f} s left", flush=True)

    def end(self) -> float:
        """The rate, inputs/s."""
        os.close(self._file)
        return self._count / max(time.monotonic() - self._began, 1e-9)


def hunt(target: Target, seed: int, count: int, folder: Path) -> bool:
    """One target in this process; whether no law was broken."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{target.name}.under_way"
    progress = Progress(target.name, count, kept)
    try:
        campaign = run(target, seed, count, progress)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc()
        _tell(target.name, save(folder, target.name, progress.data))
        return False
    finally:
        kept.unlink(missing_ok=True)
    print(f"{target.name}: {count:,} inputs, {progress.end():,.0f}/s, ended in {len(campaign.outcomes):,} ways, no law broken", flush=True)
    return True


def _tell(name: str, path: Path) -> None:
    print(f"{name}: FOUND; meet it again with\n  make fuzz ARGS='--target {name} --replay {path}'", flush=True)


def _in_a_process(name: str, seed: int, count: int, folder: Path, environment: dict[str, str]) -> bool:
    command = [
        sys.executable,
        "-m",
        "fuzz",
        "--here",
        "--target",
        name,
        "--seed",
        str(seed),
        "--inputs",
        str(count),
        "--folder",
        str(folder),
    ]
    code = subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
    under_way = folder / f"{name}.under_way"
    if code and under_way.exists():
        held = under_way.read_bytes()
        size = int.from_bytes(held[:SIZE_BYTES], "little")
        print(f"{name}: the process died with {code}")
        _tell(name, save(folder, name, held[SIZE_BYTES : SIZE_BYTES + size]))
    return code == 0


def campaign(names: list[str], seed: int, inputs: int, folder: Path) -> bool:
    """All targets, one after another; compiled decoders also with checked accesses."""
    counts = shares(inputs) if len(names) == len(TARGETS) else dict.fromkeys(names, inputs)
    print(f"seed {seed}: {sum(counts[name] for name in names):,} inputs over {len(names)} targets", flush=True)
    good = [_in_a_process(name, seed, counts[name], folder, {}) for name in names]
    with tempfile.TemporaryDirectory() as cache:
        checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache}
        for name in names:
            if TARGETS[name].kernels:
                print(f"{name}, array accesses checked (compiling takes a while):", flush=True)
                good.append(_in_a_process(name, seed + 1, max(1, counts[name] // CHECKED_PART), folder, checked))
    print("no law broken" if all(good) else "laws were broken", f"(seed {seed})")
    return all(good)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of the whole campaign, or of each target named")
    parser.add_argument("--seed", type=int, default=None, help="the same seed meets the same inputs")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="this one only; may be repeated")
    parser.add_argument("--replay", type=Path, help="meet the input in this file once")
    parser.add_argument("--folder", type=Path, default=Path("runs/fuzz"), help="where inputs that break a law are kept")
    parser.add_argument("--here", action="store_true", help="in this process")
    given = parser.parse_args()
    names = given.target or list(TARGETS)
    seed = secrets.randbelow(2**32) if given.seed is None else given.seed
    if given.replay:
        print(*(TARGETS[name].meet(given.replay.read_bytes()) for name in names), sep="\n")
        return 0
    if given.here:
        return 0 if min(hunt(TARGETS[name], seed, given.inputs, given.folder) for name in names) else 1
    return 0 if campaign(names, seed, given.inputs, given.folder) else 1


if __name__ == "__main__":
    sys.exit(main())
