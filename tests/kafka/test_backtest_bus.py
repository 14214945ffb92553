"""`assay backtest` on a real Kafka answers as over the same records in memory, and refuses a journal whose head is gone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from backtests import LogSources, changed, run_of
from gated_worlds import JOURNAL
from simulated_worlds import config, troubled_world
from simulated_worlds import run as run_world

from assay.app.backtest.backtest import backtest
from assay.app.bus.admin import KafkaAdmin
from assay.app.bus.publisher import KafkaPublisher, OutboundRecord
from assay.app.bus.topics import create_topics
from assay.app.cli import backtest as command
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.simulation.log import ModelLog
from assay.app.substrate import Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic

pytestmark = pytest.mark.tier2
PARTITIONS = 3


@pytest.fixture
def log() -> ModelLog:
    return run_world(troubled_world(4), partitions=PARTITIONS).log


@pytest.fixture
def on_kafka(kafka: Server, namespace: str, tmp_path: Path, log: ModelLog) -> Run:
    """The topics of a simulated run on Kafka, and its directory."""
    create_topics(kafka.address, namespace, PARTITIONS)
    publisher = KafkaPublisher(kafka.address, namespace)
    for handle, partition in log.tps():
        records = log.read((handle, partition), 0, log.end((handle, partition)))
        publisher.publish(handle, [OutboundRecord(record.key, record.value, partition) for record in records])
    wired = run_of(tmp_path, config(), PARTITIONS).model_copy(update={"bootstrap": kafka.address, "namespace": namespace})
    wired.save()
    return wired


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The policy of the run with lower thresholds."""
    shipped, path = load_policy("handbook"), tmp_path / "mine.yaml"
    rules = changed(shipped.rules, thresholds={"STEP_UP": 3, "DECLINE": 50}, revision="mine")
    path.write_text(json.dumps({"features": shipped.features, "rules": rules}))
    return path


def test_the_command_answers_as_over_the_same_records_in_memory(
    on_kafka: Run, log: ModelLog, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = tmp_path / "ids.csv"
    arguments = ["--policy", str(policy), "--run", str(on_kafka.directory), "--limit", "3"]
    assert command.main([*arguments, "--json", "--ids", str(ids)]) == 0
    told = json.loads(capsys.readouterr().out)
    wanted = backtest(on_kafka, load_policy(str(policy)), LogSources(log, PARTITIONS), 3)
    assert told == json.loads(json.dumps(wanted.as_json()))
    assert told["columns"] == {"currency": "the topic"}
    assert len(list(csv.DictReader(ids.open(encoding="utf-8")))) == told["changed"] > 3
    assert command.main([*arguments, "--expect-same"]) == 1
    said = capsys.readouterr().out
    assert f"{told['changed']} of {told['payments']} payments change their outcome" in said
    assert command.main(["--policy", "handbook", "--run", str(on_kafka.directory), "--expect-same"]) == 0
    assert "The policy is the run's own." in capsys.readouterr().out


def test_a_journal_whose_head_is_gone_is_refused_with_what_it_holds(on_kafka: Run, kafka: Server, policy: Path) -> None:
    KafkaAdmin(kafka.address).delete_records(topic(JOURNAL).name(on_kafka.namespace), 0, 4)
    with pytest.raises(Stop) as refused:
        command.main(["--policy", str(policy), "--run", str(on_kafka.directory)])
    assert refused.value.reason is Reason.JOURNAL_OUT_OF_REACH
    assert "the journal holds offsets 4 to " in refused.value.what
