"""One of each fault that meets workers, and of those that end a run, on real Kafka: no promise is broken, or the run is refused by name.

Kills at the journal and at the outputs are in tests/kafka/test_crash_points.py; `make chaos` runs all of them, several times.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.playing import play
from chaos.scene import Servers

from assay.app.settings import Settings
from assay.app.substrate.kafka import start_kafka

pytestmark = [pytest.mark.tier2, pytest.mark.chaos, pytest.mark.timeout(900)]
NAMES = ("killed_recovering", "killed_claiming", "joined_and_left", "killed_under_load", "frozen", "journal_recreated", "input_recreated")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Servers]:
    """A broker of this module alone."""
    with start_kafka(tmp_path_factory.mktemp("kafka"), settings) as kafka:
        yield Servers(kafka)


@pytest.mark.parametrize("name", NAMES)
def test_no_promise_is_broken(name: str, servers: Servers, tmp_path: Path, namespace: str) -> None:
    assert play(name, servers, tmp_path, namespace, seed=1).problems == []
