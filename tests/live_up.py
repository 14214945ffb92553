"""`assay up` as a process that is posted to, and a program of somebody else's that reads its decisions."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from assay_command import environment
from fenced_blocks import steps
from source_tree import ROOT

from assay.app.bus.users import BusUser, properties_file
from assay.app.report.summary import RunSummary, summarize
from assay.app.run.directory import Run
from assay.contracts.avro_schemas import RELEASED
from assay.testing import until


class Up:
    """`assay up` in one directory, on a given Kafka and PostgreSQL, or on servers that it starts where the addresses are empty."""

    def __init__(self, directory: Path, kafka: str, dsn: str) -> None:
        self.directory = directory
        self.kafka, self.dsn = kafka, dsn
        self.log = directory.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start, or go on; its pid once it takes payments."""
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "assay", "up", "--run", str(self.directory)]
            self.process = process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment({"ASSAY_BUS": self.kafka, "ASSAY_SQL": self.dsn})
            )
        until(lambda: "post a payment" in self.text() or process.poll() is not None, 90)
        assert process.poll() is None, self.text()
        return process.pid

    def post(self, event_id: str, amount_minor: int = 2_500) -> str:
        """Post a payment; what the gate decided."""
        run = Run.load(self.directory)
        entities = {name: f"{name}-1" for name in run.config.features["entities"]}
        body = {"event_id": event_id, "amount_minor": amount_minor, "currency": "EUR", "entities": entities, "attributes": {"by": "web"}}
        headers = {"X-IG-Api-Key": run.api_key, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{run.gate_url}/v1/payments", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(json.loads(answer.read())["admission"])
        except urllib.error.HTTPError as refused:
            return str(json.loads(refused.read())["admission"])

    def ask(self, path: str) -> tuple[int, Any]:
        """(status, answer) of a GET at the gate, with the key."""
        run = Run.load(self.directory)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(run.gate_url + path, headers={"X-IG-Api-Key": run.api_key}), timeout=30
            ) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())

    def decided(self, event_id: str) -> dict[str, Any]:
        """The decision, once it is there."""
        until(lambda: self.ask(f"/v1/decisions/{event_id}")[0] == 200, 30)
        found: dict[str, Any] = self.ask(f"/v1/decisions/{event_id}")[1]
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(120)

    def text(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def summary(self) -> RunSummary:
        """Its report."""
        return summarize(Run.load(self.directory))


def own_client(directory: Path, *, password: bool = True) -> list[dict[str, Any]]:
    """What the program of `docs/own-client.md` prints of a run, by event id.

    It has a copy of the schemas, the reader's file of client properties where Kafka has users, and nothing else of assay.
    """
    (program,) = (step.script for step in steps((ROOT / "docs" / "own-client.md").read_text(encoding="utf-8")))
    folder, run = directory.with_suffix(".reader"), Run.load(directory)
    folder.mkdir(exist_ok=True)
    shutil.copytree(RELEASED, folder / "schemas", dirs_exist_ok=True)
    subprocess.run(["bash", "-euc", program], cwd=folder, check=True)
    command = [sys.executable, "-I", "decisions.py", run.bootstrap, run.namespace, "schemas"]
    if password and run.bus_users:
        command.append(str(properties_file(run.directory / run.bus_users, BusUser.READER)))
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return sorted(map(json.loads, ended.stdout.splitlines()), key=lambda line: str(line["event_id"]))
