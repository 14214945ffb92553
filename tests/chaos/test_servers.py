"""One of each fault that meets the servers under a run: it goes on by itself and no promise is broken, or it is refused by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.playing import SCENARIOS, play
from chaos.scene import Servers

from assay.app.settings import Settings
from assay.app.substrate.kafka import start_kafka
from assay.app.substrate.postgres import start_postgres

pytestmark = [
    pytest.mark.tier2,
    pytest.mark.chaos,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="limits of a running process are Linux's"),
]
NAMES = ("broker_frozen_20s", "broker_killed", "disk_full", "postgres_restarted", "journal_emptied_between_workers")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Servers]:
    """Servers of this module alone."""
    room = tmp_path_factory.mktemp("servers")
    with start_kafka(room / "kafka", settings) as kafka, start_postgres(room / "postgres", settings) as postgres:
        yield Servers(kafka, postgres)


@pytest.mark.parametrize("name", NAMES)
def test_no_promise_is_broken(name: str, servers: Servers, tmp_path: Path, namespace: str) -> None:
    assert SCENARIOS[name].long is False
    assert play(name, servers, tmp_path, namespace, seed=2).problems == []
