"""Runs over the little world: sealed and sorted, brought to READY by the command, with processes that send its rows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from assay_command import assay
from gate_process import KEY, GateProcess
from world_digests import SEED, identity, made

from assay.app.bus.topics import create_topics
from assay.app.database.prepare import prepare
from assay.app.demo.bank_run import bank_config, bank_request, outputs_of, sort_views
from assay.app.pack.sealed_pack import open_pack
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.app.world.generation import SEGMENTS
from assay.app.world.pack import seal, write_receipt
from assay.contracts.engine_events import ENGINE_EVENTS
from assay.contracts.traffic_modes import TrafficMode

NOW_US = 1_790_000_000_000_000
NAMED = "platform_20260101T000000Z"


def make_bank(store: DirectoryStore, modes: Sequence[TrafficMode], seed: int = SEED) -> None:
    """The little world of a seed, sealed, these of its traffics sorted."""
    write_receipt(store, identity(seed), "tiny", NOW_US)
    made(store, seed=seed)
    seal(store, SEGMENTS, identity(seed), NOW_US)
    for mode in modes:
        sort_views(store, mode, Screen(stderr=True))


def ready_run(
    folder: Path, bank: DirectoryStore, kafka: Server, dsn: str, namespace: str, mode: TrafficMode, named: str = NAMED, bucket: str = ""
) -> Run:
    """A run that the Scenario Runner brought to READY. `bucket`: where `banks/one` is the bank and the run keeps its objects, if there."""
    config = bank_config(named, open_pack(bank), load_policy("world"), mode)
    run = Run(directory=folder, config=config, namespace=namespace, bootstrap=kafka.address, dsn=dsn, api_key=KEY)
    if bucket:
        run = run.model_copy(update={"store_root": f"s3://{bucket}/runs"})
    run.save()
    create_topics(kafka.address, namespace, 3, traffic=config.traffic)
    prepare(dsn)
    request = folder / "request.json"
    request.write_text(json.dumps(bank_request(config, mode, f"s3://{bucket}/banks/one" if bucket else str(bank.root))))
    submitted = assay("sr", "submit", "--run", folder, "--request", request)
    assert submitted.code == 0, submitted.text
    return run


def rows_of_bank(bank: DirectoryStore, mode: TrafficMode) -> dict[str, int]:
    """Event class → rows that a run of a traffic streams."""
    pack = open_pack(bank)
    return {ENGINE_EVENTS[name].event_class: sum(part.rows for part in pack.parts(pack.output(name))) for name in outputs_of(mode)}


def point_to(gate: GateProcess, run: Run) -> None:
    """Let the commands of a run find its gate."""
    run.model_copy(update={"gate_url": gate.url}).save()


def begun(*arguments: object) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "assay", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
