"""A run whose READY is waited for before its rows are sent, as the commands that send them ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assay.agents.specs import ComponentSpec
from assay.app.bus.topic_reader import TopicRecord, read_records
from assay.app.bus.users import BusUser, properties_of
from assay.app.progress import unseen
from assay.app.run.directory import Run
from assay.app.run.frozen import refuse_changed
from assay.app.run.secrets_file import refuse_without_key
from assay.app.streamer.ready import PassOver, await_ready
from assay.contracts.handles import CONTROL


def run_to_send(directory: Path) -> Run:
    """The run of a directory, whose rows this process may send. Raises as `Run.load`, `refuse_changed`, and Stop(RUN_KEY_MISSING)."""
    run = Run.load(directory)
    refuse_without_key(run.api_key, directory)
    refuse_changed(run)
    return run


def ready_of(run: Run, reader: ComponentSpec, user: BusUser, timeout_s: float, pass_over: PassOver = unseen) -> dict[str, Any]:
    """The READY record of a run, once `reader` has it as this user of Kafka. Raises as `await_ready`."""
    properties = properties_of(run, user)

    def control(first: int) -> Iterator[TopicRecord]:
        return read_records(run.bootstrap, CONTROL, run.namespace, properties, first=first)

    return await_ready(reader, control, run.config.pins, run.config.digest, timeout_s, pass_over)
