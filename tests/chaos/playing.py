"""One scenario from its run's first payment to the verdict."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from chaos.final_scenarios import FINAL
from chaos.promises import DECISION, forms_of
from chaos.remains import Left, read_all
from chaos.scenarios import BROKER, GATE, RATE_PER_S, WORKERS, Scenario
from chaos.scene import RTDL, Mark, Scene, Servers, new_scene
from chaos.workers import Life
from confluent_kafka import KafkaException

from assay.contracts.errors import AssayError

#: what a run that cannot go on, or cannot be read any more, raises here
BROKEN = (AssertionError, AssayError, ValueError, OSError, KafkaException)
SCENARIOS = {**WORKERS, **BROKER, **GATE, **FINAL}


class Played(NamedTuple):
    """What came of a scenario. `problems` is empty when every promise was kept; times are seconds since the epoch."""

    name: str
    seed: int
    problems: list[str]
    payments: int
    wall_s: float
    marks: list[Mark]
    lives: list[Life]
    published_s: list[float]

    def summary(self) -> dict[str, Any]:
        """For chaos.json: all but the times of single records."""
        lives = [{**vars(life), "frozen": [list(span) for span in life.frozen]} for life in self.lives]
        return {
            "scenario": self.name,
            "seed": self.seed,
            "passed": not self.problems,
            "problems": self.problems,
            "payments": self.payments,
            "wall_s": round(self.wall_s, 1),
            "faults": [mark._asdict() for mark in self.marks],
            "workers": lives,
        }


def play(name: str, servers: Servers, directory: Path, namespace: str, seed: int) -> Played:
    """Feed a new run, inject the fault, wait for rest and judge. A fault that cannot be gone on from is a problem, too."""
    scenario = SCENARIOS[name]
    scene = new_scene(servers, directory, namespace, seed, RATE_PER_S, posted=scenario.posted)
    return played(name, scene, seed, [scenario])


def played(name: str, scene: Scene, seed: int, scenarios: list[Scenario]) -> Played:
    """Inject these faults one after the other into one run."""
    began_s, problems, left = time.time(), list[str](), Left({}, {})
    try:
        scene.feeder.start()
        for scenario in scenarios:
            scenario.inject(scene)
        if scenarios[-1].final:
            left = read_all(scene.run, [RTDL])
            problems = [f"{event} is decided twice" for event, forms in forms_of(left, *DECISION).items() if len(forms) > 1][:3]
        else:
            scene.rest()
            problems, left = scene.verdict()
    except BROKEN as error:
        problems = [*scene.problems, f"{type(error).__name__}: {error}"]
    finally:
        scene.close()
    lives = [member.life for member in scene.members]
    return Played(name, seed, problems, scene.feeder.sent, time.time() - began_s, scene.marks, lives, left.published_s(RTDL))


__all__ = ["SCENARIOS", "Played", "play", "played"]
