"""Topics of a test's own on the real broker, and a live run on it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from live_up import Up

from assay.app.substrate import Server


@pytest.fixture
def make_topic(kafka: Server, namespace: str) -> Callable[..., str]:
    def make(name: str, partitions: int = 1, **config: str) -> str:
        admin = AdminClient({"bootstrap.servers": kafka.address})
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin.create_topics([NewTopic(namespace + name, partitions, 1, config=settings)])[namespace + name].result(20)
        return namespace + name

    return make


@pytest.fixture
def up(tmp_path: Path, kafka: Server, dsn: str) -> Iterator[Up]:
    made = Up(tmp_path / "live", kafka.address, dsn)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)
