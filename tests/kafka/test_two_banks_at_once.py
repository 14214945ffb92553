"""Two runs at once over two banks on one Kafka and one PostgreSQL: gates, streamers, deliveries side by side, and nothing is shared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from bank_runs import begun, make_bank, point_to, ready_run, rows_of_bank
from gate_process import GateProcess
from hex_names import names_in_records, names_in_store
from world_digests import identity

from assay.app.bus.topics import topics_there
from assay.app.gate.policy import shipped_admission_policy
from assay.app.report.gate_lines import receipts_of
from assay.app.report.receipted import admitted_by_class
from assay.app.run.directory import Run
from assay.app.stores.objects import DirectoryStore
from assay.app.substrate import Server
from assay.contracts.topics import topics
from assay.contracts.traffic_modes import FRAUD
from assay.tables.feature_plan import compile_plan

pytestmark = [pytest.mark.tier2, pytest.mark.long, pytest.mark.timeout(600)]

SEEDS = (1, 2)


class Side:
    """A run with its bank, its gate and its senders."""

    def __init__(self, folder: Path, seed: int, kafka: Server, dsn: str, namespace: str) -> None:
        folder.mkdir()
        self.bank = DirectoryStore(folder / "bank")
        make_bank(self.bank, (FRAUD,), seed)
        named = f"platform_20260101T00000{seed}Z"
        self.run = ready_run(folder, self.bank, kafka, dsn, f"{namespace}{named}.", FRAUD, named)
        self.gate = GateProcess(self.run)
        point_to(self.gate, self.run)

    def send(self) -> None:
        """Stream and deliver to the end."""
        senders = [begun("stream", "--run", self.run.directory, "--batch", 200), begun("labels", "deliver", "--run", self.run.directory)]
        assert [process.wait(240) for process in senders] == [0, 0]
        assert self.gate.stop() == 0

    def records(self) -> Iterator[object]:
        """Everything on the topics of the run."""
        there = set(topics_there(self.run.bootstrap, self.run.namespace))
        for one in topics().values():
            if one.name(self.run.namespace) in there:
                yield from self.gate.on_bus(one.handle)

    def names(self) -> set[str]:
        """Ids and digests of everything that this run wrote, said and sent."""
        return names_in_store(self.run.store) | names_in_records(self.records())


@pytest.fixture
def sides(tmp_path: Path, kafka: Server, dsn: str, namespace: str) -> Iterator[list[Side]]:
    """Two runs whose gates run."""
    made = [Side(tmp_path / str(seed), seed, kafka, dsn, namespace) for seed in SEEDS]
    yield made
    for side in made:
        side.gate.kill()


def test_two_banks_that_are_streamed_at_once_are_admitted_each_once_and_share_no_name(sides: list[Side], dsn: str) -> None:
    with ThreadPoolExecutor(len(sides)) as pool:
        list(pool.map(Side.send, sides))
    for side in sides:
        admitted = admitted_by_class(side.run.store, side.run.directory)
        assert admitted.pop("label") > 0
        assert dict(admitted) == rows_of_bank(side.bank, FRAUD)
        times = Counter(one.event_id for one in receipts_of(side.run) if one.decision == "ADMIT")
        assert set(times.values()) == {1}
        assert not list(side.run.store.keys("ig/quarantine"))
    first, second = (side.names() for side in sides)
    of_the_release = {identity(1).manifest_fingerprint, identity(1).parameter_hash, shipped_admission_policy().digest}
    assert first & second == of_the_release | {compile_plan(sides[0].run.config.features).digest.hex()}
    assert of_the_database(dsn) == {"runs": 2, "keys": 2, "marked": 2}
    ready = [ready_id(side.run) for side in sides]
    assert len({*ready}) == 2


def of_the_database(dsn: str) -> dict[str, int]:
    """What PostgreSQL holds of both runs, counted by what tells them apart."""
    asked = {
        "runs": "SELECT count(DISTINCT run_id) FROM sr_run_equivalence",
        "keys": "SELECT count(DISTINCT run_equivalence_key) FROM sr_run_equivalence",
        "marked": "SELECT count(DISTINCT platform_run_id) FROM ig_marks",
    }
    with psycopg.connect(dsn) as connection:
        rows = {name: connection.execute(query).fetchone() for name, query in asked.items()}
    return {name: int(row[0]) for name, row in rows.items() if row is not None}


def ready_id(run: Run) -> str:
    """The message id of READY."""
    found: str = json.loads(run.store.read(f"sr/ready_signal/{run.config.scenario_run_id}.json"))["message_id"]
    return found
