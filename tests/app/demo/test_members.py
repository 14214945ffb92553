"""What a run does about its processes that end: start them again, tell why, and give up when that does not help."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.app.demo.processes import RESTARTS_MAX, Kept, ended, last_words
from assay.app.substrate.processes import Launch, Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.testing import until

#: ends with a code the first n times it is started, then stays
FAILS = """
import pathlib, sys, time
count, times, code = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
count.write_text(count.read_text() + "x" if count.exists() else "x")
if len(count.read_text()) <= times:
    print("assay worker: PRODUCE_FAILED: the broker is away", flush=True)
    raise SystemExit(code)
print("here", flush=True)
time.sleep(600)
"""


class Failing:
    """A process of this kind."""

    def __init__(self, folder: Path, times: int, code: int) -> None:
        self.starts = folder / "starts"
        log = folder / "worker.log"
        argv = [sys.executable, "-c", FAILS, str(self.starts), str(times), str(code)]
        launch = Launch(argv, folder, log, signal.SIGTERM, 5.0, inherit_environment=True)
        self.server = Server("worker", 0, "", log, folder, launch, None).start()
        until(lambda: not self.server.alive, 20)


@pytest.fixture
def said() -> list[str]:
    """What people were told."""
    return []


@pytest.fixture
def failing(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Failing]:
    """A process that failed once; parametrized with how often it fails and its code."""
    made = Failing(tmp_path, *request.param)
    yield made
    made.server.stop()


@pytest.mark.parametrize(("failing", "how"), [((1, 70), "with status 70"), ((1, 137), "by SIGKILL")], indirect=["failing"])
def test_a_process_that_ended_is_started_again_and_people_are_told_how_it_ended(failing: Failing, how: str, said: list[str]) -> None:
    Kept([failing.server], said.append, pause_s=0.01).look()
    until(lambda: failing.starts.read_text() == "xx", 20)
    assert failing.server.alive
    why = f"{how}, the end of its log is: assay worker: PRODUCE_FAILED: the broker is away"
    assert said == [f"the worker ended {why}; starting it again in 0.01 s (1 of {RESTARTS_MAX})"]


@pytest.mark.parametrize("failing", [(1_000, 70)], indirect=True)
def test_a_process_that_ends_again_and_again_ends_the_run_with_its_last_words(failing: Failing, said: list[str]) -> None:
    kept = Kept([failing.server], said.append, pause_s=0.001)

    def looked() -> bool:
        kept.look()
        return len(said) > RESTARTS_MAX

    with pytest.raises(Stop) as stop:
        until(looked, 60)
    assert stop.value.reason is Reason.RUN_INCOMPLETE
    assert len(said) == RESTARTS_MAX
    assert "PRODUCE_FAILED: the broker is away" in stop.value.remedy
    assert "--run resumes the run" in stop.value.remedy


def test_each_process_has_restarts_of_its_own(tmp_path: Path, said: list[str]) -> None:
    """The gate's two restarts were the last that the worker had left."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    both = [Failing(tmp_path / name, RESTARTS_MAX, 70) for name in ("a", "b")]
    kept = Kept([one.server for one in both], said.append, pause_s=0.001)

    def up() -> bool:
        kept.look()
        return [one.starts.read_text() for one in both] == ["x" * (RESTARTS_MAX + 1)] * 2

    try:
        until(up, 60)
        assert len(said) == 2 * RESTARTS_MAX
    finally:
        for one in both:
            one.server.stop()


@pytest.mark.parametrize("failing", [(1_000, 65)], indirect=True)
def test_a_process_that_would_only_end_the_same_way_is_not_started_again(failing: Failing, said: list[str]) -> None:
    with pytest.raises(Stop):
        Kept([failing.server], said.append, final=frozenset({65}), pause_s=0.001).look()
    assert said == []
    assert failing.starts.read_text() == "x"


@pytest.mark.parametrize("failing", [(1, 70)], indirect=True)
def test_last_words_are_those_of_the_process(failing: Failing) -> None:
    assert last_words(failing.server) == "with status 70, the end of its log is: assay worker: PRODUCE_FAILED: the broker is away"
    assert str(ended(failing.server)).startswith("RUN_INCOMPLETE: the worker ended")


def test_a_server_at_a_given_address_is_left_alone(said: list[str]) -> None:
    Kept([Server("kafka", 9092, "127.0.0.1:9092")], said.append).look()
    assert said == []
