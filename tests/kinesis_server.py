"""The Kinesis of tests: moto's server in a process of its own. It keeps what it is given, and checks no key."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from assay.app.substrate import ports
from assay.app.substrate.processes import Launch, Server

DEADLINE_S = 60.0


def start(directory: Path) -> Server:
    """Start the server; `address` is its endpoint."""
    directory.mkdir(parents=True, exist_ok=True)
    port = ports.free_port()
    command = [sys.executable, "-m", "moto.server", "--host", ports.HOST, "--port", str(port)]
    launch = Launch(command, directory, directory / "moto.log", signal.SIGTERM, 5.0)
    address = f"http://{ports.HOST}:{port}"
    server = Server(
        "moto", port, address, log=launch.log, data=directory, launch=launch, answers=lambda: _answers(port), deadline_s=DEADLINE_S
    )
    server.start()
    return server


def _answers(port: int) -> None:
    if not ports.is_open(port):
        raise ConnectionError(port)
