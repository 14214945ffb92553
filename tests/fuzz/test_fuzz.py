"""A short campaign over every decoder with a fixed seed, and proof that the fuzzer finds what it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from effort import drawn
from fuzz.__main__ import hunt
from fuzz.engine import Campaign, Target, run
from fuzz.registry import TARGETS, shares

INPUTS = drawn(20_000)
SEED = 20_261_121
#: without machine code a decoder is met this often
PLAIN_INPUTS = 40


@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_input_breaks_a_law(name: str) -> None:
    run(TARGETS[name], SEED, shares(INPUTS)[name])


def test_the_readers_of_bytes_stay_inside_of_them() -> None:
    """As plain Python every access is checked; `make fuzz` does the same with machine code."""
    kernels = [name for name, target in TARGETS.items() if target.kernels]
    command = [sys.executable, "-m", "fuzz", "--here", "--seed", str(SEED), "--inputs", str(PLAIN_INPUTS)]
    command += [part for name in kernels[:2] for part in ("--target", name)]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _believes_a_length(data: bytes) -> int:
    np.empty(int.from_bytes(data[:4], "little"), np.int64)
    return 0


HELD: list[bytes] = []


def _hangs_on_to_everything(data: bytes) -> int:
    HELD.append(b"x" * (1 << 18))
    return 0


def _reads_too_far(data: bytes) -> int:
    return data[data[0]]


@pytest.mark.parametrize(
    ("meet", "error"), [(_believes_a_length, MemoryError), (_hangs_on_to_everything, AssertionError), (_reads_too_far, IndexError)]
)
@pytest.mark.skipif(sys.platform != "linux", reason="bounds on memory are read from /proc")
def test_a_planted_fault_is_found(meet: object, error: type[BaseException]) -> None:
    assert callable(meet)
    with pytest.raises(error):
        run(Target("planted", lambda: [b"\0" * 8], meet, 1), SEED, 600)
    HELD.clear()


def test_an_input_that_breaks_a_law_is_kept_with_the_command_that_meets_it_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    planted = Target("planted", lambda: [b"\0" * 8], _reads_too_far, 1)
    assert not hunt(planted, SEED, 800, tmp_path)
    (kept,) = tmp_path.iterdir()
    with pytest.raises(IndexError):
        planted.meet(kept.read_bytes())
    assert f"make fuzz ARGS='--target planted --replay {kept}'" in capfd.readouterr().out


def test_the_same_seed_meets_the_same_inputs() -> None:
    first, again = (list(Campaign(TARGETS["columns"], SEED).inputs(300)) for _ in range(2))
    assert first == again
    assert first != list(Campaign(TARGETS["columns"], SEED + 1).inputs(300))


def test_a_campaign_deals_all_of_its_inputs() -> None:
    assert sum(shares(1_000_000).values()) >= 1_000_000
