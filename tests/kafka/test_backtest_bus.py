"""`assay backtest` on a real Kafka answers as over the same records in memory, and refuses a journal whose head is gone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from backtests import Ran, policy_of, ran
from gated_worlds import JOURNAL, config_over, generated_world

from assay.app.backtest.backtest import backtest
from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topics import create_topics
from assay.app.cli import backtest as command
from assay.app.cli import export as export_command
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.substrate import Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

pytestmark = pytest.mark.tier2
HANDBOOK = load_policy("handbook")
COUNT = {"name": "n", "entity": "customer", "op": "count", "window": "1d", "resolution": "1h", "include_current": True}
MANY = {"code": "MANY", "points": 9, "when": [{"feature": "n", "ge": 3}]}
#: the policy of the run: it does not read the terminal
CUSTOMERS = policy_of(
    {"feature_set": "customers", "revision": "1", "entities": ["customer"], "features": [COUNT]},
    {
        "policy_id": "c",
        "revision": "1",
        "rules": [{"code": "MANY", "points": 9, "when": [{"feature": "n", "ge": 3}]}],
        "thresholds": {"STEP_UP": 9},
    },
)


@pytest.fixture
def before(tmp_path: Path) -> Ran:
    world = generated_world(tmp_path, "handbook", 400, 3)
    config = config_over(world, "handbook").model_copy(update={"features": CUSTOMERS.features, "policy": CUSTOMERS.rules})
    return ran(tmp_path, world, config)


@pytest.fixture
def on_kafka(kafka: Server, namespace: str, before: Ran) -> Run:
    """The topics of a simulated run on Kafka, and its directory."""
    create_topics(kafka.address, namespace, before.partitions)
    publisher = KafkaPublisher(kafka.address, namespace)
    for handle, partition in before.log.tps():
        records = before.log.read((handle, partition), 0, before.log.end((handle, partition)))
        publisher.publish(handle, [OutboundRecord(record.key, record.value, partition) for record in records])
    wired = before.run.model_copy(update={"bootstrap": kafka.address, "namespace": namespace})
    wired.save()
    return wired


def test_the_command_answers_as_over_the_same_records_in_memory(
    on_kafka: Run, before: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = tmp_path / "ids.csv"
    arguments = ["--policy", "handbook", "--run", str(on_kafka.directory), "--limit", "3"]
    assert command.main([*arguments, "--json", "--ids", str(ids)]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = backtest(before.run, HANDBOOK, before.sources(), 3)
    assert told == json.loads(json.dumps(wanted.as_json()))
    assert told["columns"] == {"entity.terminal": "the topic"}
    assert len(list(csv.DictReader(ids.open(encoding="utf-8")))) == told["changed"] > 3
    assert command.main([*arguments, "--expect-same"]) == 1
    said = capsys.readouterr().out
    assert f"{told['changed']} of {told['payments']} payments change their outcome" in said


def test_the_policy_of_the_run_changes_nothing(on_kafka: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(json.dumps({"features": CUSTOMERS.features, "rules": CUSTOMERS.rules}))
    assert command.main(["--policy", str(own), "--run", str(on_kafka.directory), "--expect-same"]) == 0
    assert "0 of 400 payments change their outcome" in capsys.readouterr().out


def test_an_export_has_the_ids_and_kinds_of_the_file(on_kafka: Run, before: Ran, tmp_path: Path) -> None:
    assert export_command.main(["decisions", "--run", str(on_kafka.directory), "--parquet", str(tmp_path / "out")]) == 0
    exported = pl.read_parquet(tmp_path / "out" / "decisions" / "*.parquet")
    assert before.world is not None
    parts = [before.world.stream_part(part) for part in before.world.manifest.stream_view]
    known = pl.concat(parts).select("event_id", pl.col("source_id").cast(pl.String), "kind")
    assert exported.select(known.columns).sort("event_id").equals(known.sort("event_id"))


def test_a_journal_whose_head_is_gone_is_refused_with_what_it_holds(on_kafka: Run, kafka: Server) -> None:
    KafkaAdmin(kafka.address).delete_records(topic(JOURNAL).name(on_kafka.namespace), 0, 4)
    with pytest.raises(Stop) as refused:
        command.main(["--policy", "handbook", "--run", str(on_kafka.directory)])
    assert refused.value.reason is Reason.JOURNAL_OUT_OF_REACH
    assert "needed from offset 0 on and holds 4 to " in refused.value.what
    with pytest.raises(Stop) as refused:
        export_command.main(["decisions", "--run", str(on_kafka.directory), "--parquet", str(on_kafka.directory / "out")])
    assert "--from-kept" in refused.value.remedy
