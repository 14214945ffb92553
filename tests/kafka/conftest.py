"""Topics of a test's own on the real broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from assay.app.substrate import Server


@pytest.fixture
def make_topic(kafka: Server, namespace: str) -> Callable[..., str]:
    def make(name: str, partitions: int = 1, **config: str) -> str:
        admin = AdminClient({"bootstrap.servers": kafka.address})
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin.create_topics([NewTopic(namespace + name, partitions, 1, config=settings)])[namespace + name].result(20)
        return namespace + name

    return make
