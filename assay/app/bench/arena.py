"""Where a benchmark takes place: a room on disk, a broker and the way to it, all of them gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from assay.app.bench.bus import BenchBus
from assay.app.settings import load_settings
from assay.app.substrate import Server, kafka_at, postgres_at


class Arena(NamedTuple):
    """Servers that were asked for. `broker` is None where somebody else runs Kafka: its CPU time cannot be seen."""

    room: Path
    bus: BenchBus
    broker: psutil.Process | None
    postgres: Server | None


@contextmanager
def arena(*, postgres: bool = False) -> Iterator[Arena]:
    """A Kafka, and a PostgreSQL where one is wanted: those of the settings, else started here."""
    with ExitStack() as stack:
        room, settings = Path(tempfile.mkdtemp(prefix="assay-bench-")), load_settings()
        stack.callback(shutil.rmtree, room, ignore_errors=True)
        kafka = kafka_at(room / "kafka", settings)
        stack.callback(kafka.stop)
        sql = None
        if postgres:
            sql = postgres_at(room / "postgres", settings)
            stack.callback(sql.stop)
        yield Arena(room, BenchBus(kafka.address), psutil.Process(kafka.pid) if kafka.pid else None, sql)
