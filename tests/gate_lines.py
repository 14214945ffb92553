"""Connections to one process each of a gate that has several: which of them takes a call is not left to the kernel."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import psutil
from gate_process import KEY, GateProcess


def pids(gate: GateProcess) -> dict[int, int]:
    """Process number → its pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(gate.run.directory) in words and "--process" in words:
            found[int(words[words.index("--process") + 1].partition(":")[0])] = int(folder.name)
    return found


class Line:
    """A connection that stays open. `pid` is the process that has its other end."""

    def __init__(self, gate: GateProcess) -> None:
        self._connection = http.client.HTTPConnection(gate.url.removeprefix("http://"), timeout=60)
        self._connection.connect()
        own = self._connection.sock.getsockname()
        self.get("/livez")  # whoever answers has taken it
        others = pids(gate).values()
        self.pid = next(pid for pid in others if any(one.raddr == own for one in psutil.Process(pid).net_connections()))

    def get(self, path: str) -> tuple[int, Any]:
        """(status, answer) of a GET."""
        return self._call("GET", path, None, {})

    def decide(self, body: Any, deadline_ms: int = 300) -> tuple[int, Any]:
        """(status, answer) of a call that waits for its decision."""
        return self._call("POST", "/v1/decide", json.dumps(body), {"X-IG-Api-Key": KEY, "X-Deadline-Ms": str(deadline_ms)})

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _call(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


def lines(gate: GateProcess) -> list[Line]:
    """A line to each process, in the order of their numbers."""
    found: dict[int, Line] = {}
    while len(found) < len(pids(gate)):
        line = Line(gate)
        if found.setdefault(line.pid, line) is not line:
            line.close()
    return [found[pid] for _, pid in sorted(pids(gate).items())]
