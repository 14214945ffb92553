"""`assay demo` interrupted again and again ends as an undisturbed run does."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from demo_process import Demo, World, seal

from assay.app.substrate import Server

pytestmark = [pytest.mark.tier2, pytest.mark.timeout(1_200)]

#: nine weeks and the label delay in about eight seconds, and in half a minute
FAST, SLOW = "800000", "200000"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A generated file and its undisturbed digest."""
    return seal(tmp_path_factory.mktemp("world"), seed=31)


@pytest.mark.long
@pytest.mark.parametrize(("interrupts", "seed", "speedup"), [(5, 1, FAST), (20, 2, SLOW)])
def test_interrupted_at_seeded_times_a_run_ends_with_the_digest_of_an_undisturbed_one(
    interrupts: int, seed: int, speedup: str, tmp_path: Path, world: World, kafka: Server, dsn: str
) -> None:
    demo = Demo(tmp_path, world, kafka.address, dsn, speedup)
    random = Random(seed)
    try:
        while_it_ran = sum(demo.interrupt_after(random.uniform(0.3, 13.0)) for _ in range(interrupts))
        assert while_it_ran == interrupts, "the run was done before the last interrupt"
        demo.finish()
    finally:
        demo.stop()
    demo.assert_as_undisturbed()
