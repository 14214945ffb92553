"""One of each fault on real Kafka and PostgreSQL: the run goes on by itself and no promise is broken, or it is refused by name.

What a run survives is done to one run, one fault after the other: starting and judging it costs more than most of them. Kills at
other points are in tests/kafka/test_crash_points.py, in a snapshot in test_snapshots.py; `make chaos` runs every fault by
itself, several times, and outages of a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.playing import SCENARIOS, play, played
from chaos.scenarios import RATE_PER_S
from chaos.scene import Servers, new_scene, started

from assay.app.settings import Settings

pytestmark = [
    pytest.mark.tier2,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's"),
]
SURVIVED = (
    "killed_recovering",
    "killed_claiming",
    "killed_after_journal_before_produce",
    "killed_after_produce_before_commit",
    "killed_under_load",
    "joined_and_left",
    "frozen",
    "broker_frozen",
    "broker_stopped",
    "broker_killed",
    "disk_full",
)
#: longer than a session of the group
AWAY_S = 8.0


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Servers]:
    """Servers of this module alone."""
    with started(tmp_path_factory.mktemp("servers"), settings) as servers:
        yield servers


@pytest.mark.long
def test_one_run_survives_one_of_each_fault_of_workers_and_broker(servers: Servers, tmp_path: Path, namespace: str) -> None:
    scene = new_scene(servers, tmp_path, namespace, 1, RATE_PER_S)
    scene.away_s = AWAY_S
    assert "\n".join(played("one of each", scene, 1, [SCENARIOS[name] for name in SURVIVED]).problems) == ""


@pytest.mark.parametrize("name", [pytest.param("postgres_restarted", marks=pytest.mark.long), "journal_recreated"])
def test_no_promise_is_broken(name: str, servers: Servers, tmp_path: Path, namespace: str) -> None:
    assert "\n".join(play(name, servers, tmp_path, namespace, seed=2).problems) == ""
