"""A real gate in a process of its own, posted to as a client would."""

from __future__ import annotations

import json
import resource
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay_command import environment
from gate_events import SCOPE
from reasons_met import seen
from said_ready import say_ready

from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run, RunConfig
from assay.codecs.single_object import unpack
from assay.contracts.pins import PIN_NAMES

KEY = "a key for tests"


def run_in(directory: Path, bootstrap: str, dsn: str, namespace: str, *, topics: bool = True, traffic: str = "", ready: bool = True) -> Run:
    """A run of SCOPE's pins with its topics created, and READY; with a traffic it streams a generated world."""
    config = RunConfig.model_validate({**SCOPE, "features": {}, "policy": {}, "traffic": traffic})
    made = Run(directory=directory, config=config, namespace=namespace, bootstrap=bootstrap, dsn=dsn, api_key=KEY)
    made.save()
    if topics:
        create_topics(bootstrap, namespace, 3, traffic=traffic)
    if topics and ready:
        say_ready(made)
    return made


class GateProcess:
    """`assay gate serve` for one run. `file_bytes_max` is a limit on every file the process writes, `files_max` one on open files.

    `variables` are further environment variables.
    """

    def __init__(
        self,
        run: Run,
        file_bytes_max: int | None = None,
        files_max: tuple[int, int] | None = None,
        options: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        command = [sys.executable, "-m", "assay", "gate", "serve", "--run", str(run.directory), "--port", "0", *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(variables or {})
        )
        if files_max is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, files_max)
        if file_bytes_max is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "listening on " not in line:
            self.kill()
            raise AssertionError(seen(line))
        self.url = line.split("listening on ")[1].split()[0]

    def post(self, path: str, body: Any, key: str | None = KEY) -> tuple[int, Any]:
        """(status, answer) of one call; bytes go as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {} if key is None else {"X-IG-Api-Key": key})
        return _answer(request)

    def call(self, path: str, headers: Mapping[str, str], body: Any = None, tls: ssl.SSLContext | None = None) -> tuple[int, Any]:
        """(status, answer) of a call with these headers: a GET, or a POST of a body as JSON."""
        data = None if body is None else json.dumps(body).encode()
        return _answer(urllib.request.Request(self.url + path, data, dict(headers)), tls)

    def get(self, path: str, key: str | None = None) -> tuple[int, Any]:
        """(status, answer) of a GET."""
        return _answer(urllib.request.Request(self.url + path, headers={} if key is None else {"X-IG-Api-Key": key}))

    def batch(self, events: Sequence[Any]) -> tuple[int, Any]:
        """Post a batch, all results wanted."""
        return self.post("/v1/ingest/batch", list(events))

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def rest(self) -> str:
        """What it printed after its first line, once it has ended."""
        assert self._process.stdout is not None
        return seen(self._process.stdout.read())

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(60)

    def resolve(self, *options: str) -> tuple[int, str]:
        """`assay gate resolve`: exit code and what it printed."""
        return resolve(self.run, *options)

    def receipts(self, kind: str = "receipts") -> Iterator[dict[str, Any]]:
        """All sealed receipts or quarantine records."""
        for key in self.run.store.keys(f"ig/{kind}"):
            yield from map(json.loads, self.run.store.read(key).splitlines())

    def on_bus(self, handle: str) -> list[tuple[int, int, str, dict[str, Any]]]:
        """(partition, offset, record name, record) of everything on a topic."""
        found = []
        for record in read_records(self.run.bootstrap, handle, self.run.namespace):
            assert record.value is not None
            found.append((record.partition, record.offset, *unpack(record.value)))
        return found

    def event_ids(self, handle: str = "FP_BUS_TRAFFIC_FRAUD_V1") -> Counter[str]:
        """How often each event lies on a topic."""
        return Counter(record["event_id"] for _, _, name, record in self.on_bus(handle) if name != "mark")


def resolve(run: Run, *options: str) -> tuple[int, str]:
    """`assay gate resolve` of a run: exit code and what it printed."""
    command = [sys.executable, "-m", "assay", "gate", "resolve", "--run", str(run.directory), *options]
    out, both = subprocess.PIPE, subprocess.STDOUT
    ended = subprocess.run(command, check=False, stdout=out, stderr=both, text=True, env=environment({}), timeout=120)
    return ended.returncode, seen(ended.stdout)


def mark(ts_utc: str, **changes: Any) -> dict[str, Any]:
    """The body of a mark."""
    return {**{name: SCOPE[name] for name in PIN_NAMES}, "ts_utc": ts_utc, **changes}


def _answer(request: urllib.request.Request, tls: ssl.SSLContext | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=60, context=tls) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(seen(text.decode())) if text[:1] in (b"{", b"[") else text.decode()
