"""`make parity`: the stack of production on this machine, from READY to the bus. PostgreSQL, Kafka with a user per component, an S3 server,
and Kinesis as control bus; then who may write where.

The bank's rows and labels are admitted first, then its payments are decided. Each demo holds what was admitted against what READY named,
recomputes each decision and writes a report. What the stores hold is counted here once more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import boto3
import kinesis_server
import s3_server
import yaml

from assay.app.control_bus.kinesis_bus import KinesisControlBus, kinesis_client
from assay.app.screen import say
from assay.app.settings import load_settings
from assay.app.stores.places import store_of

STREAM: Final = "sr-control-bus"
BUCKET: Final = "assay"
#: folders of a run's store that must hold objects, and what they are
HELD: Final = {"ig/receipts": "receipts of the gate", "audit": "audit segments", "sr": "record of the Scenario Runner"}
PROOFS: Final = ("tests/kafka/test_bus_users.py",)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """Say what is done, and how long it took."""
    began_s = time.perf_counter()
    say(f"── {what}")
    yield
    say(f"── {what}: done in {time.perf_counter() - began_s:.1f} s")


def main(room: Path) -> int:
    """Run the whole; the exit code."""
    with stage("start an S3 server and Kinesis"):
        s3, variables = s3_server.start(room / "s3", s3_server.built(load_settings().cache))
        kinesis = kinesis_server.start(room / "kinesis")
        os.environ |= variables
        boto3.client("s3", region_name=variables["AWS_REGION"]).create_bucket(Bucket=BUCKET)
        client = kinesis_client(kinesis.address, variables["AWS_REGION"])
        client.create_stream(StreamName=STREAM, ShardCount=1)
    try:
        with stage("a bank through Scenario Runner, streamer, gate and bus"):
            file = profile(room, kinesis.address, variables["AWS_REGION"])
            demo(room, {**variables, "ASSAY_PROFILE": str(file)})
        with stage("count what the stores hold"):
            count_ready(client)
            count_objects()
    finally:
        kinesis.stop()
        s3.stop()
    with stage("who may write where"):
        subprocess.run([sys.executable, "-m", "pytest", "-q", *PROOFS], check=True)
    return 0


def profile(room: Path, kinesis_address: str, region: str) -> Path:
    """The policy of local_parity over servers that assay starts: its own Kafka has a user per component."""
    shipped = resources.files("assay.contracts").joinpath("profiles/local_parity.yaml").read_text("utf-8")
    bus = {"control_bus": "kinesis", "control_bus_stream": STREAM, "control_bus_endpoint": kinesis_address, "control_bus_region": region}
    document = {**yaml.safe_load(shipped), "profile": "parity"}
    document["wiring"] = {"store": f"s3://{BUCKET}/runs", "checkpoints": "postgres", "settlement": "open", **bus}
    file = room / "parity.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def demo(room: Path, environment: Mapping[str, str]) -> None:
    """`assay demo` with the store in S3 and the control bus in Kinesis."""
    command = [sys.executable, "-m", "assay", "demo", "--world", "tiny"]
    subprocess.run(command, env={**os.environ, **environment, "ASSAY_RUNS": str(room / "runs")}, stdin=subprocess.DEVNULL, check=True)


def count_ready(client: Any) -> None:
    """READY of both runs stands on Kinesis, once each."""
    found = list(KinesisControlBus(STREAM, "control", client, time.time_ns).read())
    ready = [one.message.partition_key for one in found if one.message.attributes.get("kind") == "READY"]
    assert len(ready) == len(set(ready)) == 2, ready
    say(f"   Kinesis: {len(found)} messages, READY of {len(ready)} runs")


def count_objects() -> None:
    """What the runs wrote is in the bucket."""
    store = store_of(f"s3://{BUCKET}/runs")
    keys = list(store.keys(""))
    for folder, what in HELD.items():
        held = [key for key in keys if f"/{folder}" in key]
        assert held, f"no object of {folder} is in the bucket"
        say(f"   S3: {len(held):>5} objects of {folder}, {what}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="assay-parity-") as folder:
        sys.exit(main(Path(folder)))
