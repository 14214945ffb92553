"""The worker of a run, started both ways: lanes of the topology own their input, journals are claimed, the web view answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from reasons_met import seen
from worker_web import get_json, get_text, lanes_at

from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run, RunConfig
from assay.app.substrate import Server
from assay.app.substrate.ports import free_port
from assay.codecs.single_object import unpack
from assay.testing import until

POLICIES = Path(__file__).parents[2] / "assay" / "contracts" / "policies" / "handbook"
ALL = ["rtdl/0", "act/0", "audit/0"]
#: two lanes read the rtdl topic, and each is behind for itself
LAGS = {("rtdl/0", "FP_BUS_TRAFFIC_FRAUD_V1"), ("act/0", "FP_BUS_RTDL_V1"), ("audit/0", "FP_BUS_RTDL_V1")}


@pytest.fixture
def run(kafka: Server, namespace: str, tmp_path: Path) -> Run:
    config = RunConfig(
        platform_run_id="platform_20260101T000000Z",
        scenario_run_id="0" * 32,
        manifest_fingerprint="1" * 64,
        parameter_hash="2" * 64,
        scenario_id="handbook",
        seed=7,
        run_id="3" * 32,
        features=yaml.safe_load((POLICIES / "features.yaml").read_text()),
        policy=yaml.safe_load((POLICIES / "rules.yaml").read_text()),
    )
    made = Run(directory=tmp_path, config=config, namespace=namespace, bootstrap=kafka.address, dsn="", partitions=2)
    made.save()
    create_topics(kafka.address, namespace, 2)
    return made


class Workers:
    """Worker processes of one test."""

    def __init__(self, run: Run) -> None:
        self.run, self.started = run, list[subprocess.Popen[bytes]]()

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.run.directory / f"worker{len(self.started)}.log").open("wb")
        self.started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}))
        return self.started[-1]

    def assay(self, port: int, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        where = ["--run", str(self.run.directory), "--web-port", str(port)]
        return self.start(sys.executable, "-m", "assay", "worker", *where, *options, **environment)

    def claims(self, handle: str) -> int:
        records = read_records(self.run.bootstrap, handle, self.run.namespace)
        return sum(unpack(record.value or b"")[1]["kind"] == "CLAIM" for record in records)


@pytest.fixture
def workers(run: Run) -> Iterator[Workers]:
    made = Workers(run)
    yield made
    for worker in made.started:
        worker.kill()
        worker.wait()


def test_assay_worker_claims_every_journal_and_ends_clean(workers: Workers) -> None:
    port = free_port()
    worker = workers.assay(port)
    until(lambda: lanes_at(port) == ALL, 60)
    assert (workers.claims("FP_JOURNAL_RTDL_V1"), workers.claims("FP_JOURNAL_ACT_V1")) == (1, 1)
    worker.terminate()
    assert worker.wait(30) == 0


def test_faust_starts_the_same_worker(workers: Workers) -> None:
    port = free_port()
    faust = [sys.executable, "-m", "faust", "-A", "assay.app.worker", "worker", "--web-port", str(port)]
    worker = workers.start(*faust, ASSAY_RUN=str(workers.run.directory))
    until(lambda: lanes_at(port) == ALL, 60)
    worker.terminate()
    assert worker.wait(30) == 0


def test_packs_choose_lanes_and_a_restart_claims_again(workers: Workers) -> None:
    for claims in (1, 2):
        port = free_port()
        worker = workers.assay(port, "--pack", "rtdl_core")
        until(lambda: lanes_at(port) == ["rtdl/0"], 60)  # noqa: B023 - used at once
        assert (workers.claims("FP_JOURNAL_RTDL_V1"), workers.claims("FP_JOURNAL_ACT_V1")) == (claims, 0)
        worker.kill()
        worker.wait()


def test_two_workers_with_different_packs_share_the_lanes(workers: Workers) -> None:
    first, second = free_port(), free_port()
    workers.assay(first, "--pack", "rtdl_core")
    workers.assay(second, "--pack", "rtdl_decision_lane")
    until(lambda: (lanes_at(first), lanes_at(second)) == (["rtdl/0"], ["act/0", "audit/0"]), 60)


def test_the_web_view_shows_metrics_health_and_tables(workers: Workers) -> None:
    port = free_port()
    workers.assay(port)
    until(lambda: lanes_at(port) == ALL, 60)
    until(lambda: {(lag["lane"], lag["topic"]) for lag in get_json(port, "/healthz")["lag"]} >= LAGS)
    said = get_text(port, "/metrics") or ""
    assert 'assay_lane_owned{lane="rtdl",shard="0"} 1.0' in said
    assert 'assay_lane_lag_rows{lane="audit",shard="0",topic="FP_BUS_RTDL_V1"} 0.0' in said
    assert get_json(port, "/healthz")["standby"] == []
    for table in ("features", "entities", "decisions"):
        assert get_json(port, f"/table/{table}/customer:nobody")["error"] == "ROW_NOT_FOUND"


def test_a_worker_waits_at_an_armed_failpoint_until_it_is_killed(workers: Workers) -> None:
    marker = workers.run.directory / "waiting"
    worker = workers.assay(free_port(), ASSAY_FAILPOINT="before_journal_acknowledged", ASSAY_FAILPOINT_FILE=str(marker))
    until(marker.exists, 60)
    assert worker.poll() is None


@pytest.mark.parametrize(
    ("options", "environment", "code", "said"),
    [
        (["--pack", "nobody"], {}, 2, "PACK_UNKNOWN"),
        (["--run", "nowhere"], {}, 66, "RUN_MISSING"),
        ([], {"ASSAY_FAILPOINT": "nowhere"}, 2, "FAILPOINT_UNKNOWN"),
        (["--colour"], {}, 2, "No such option"),
    ],
)
def test_a_worker_that_cannot_start_says_why(
    workers: Workers, options: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    assert workers.assay(free_port(), *options, **environment).wait(60) == code
    assert said in seen((workers.run.directory / "worker0.log").read_text())
