"""Free local ports for servers, kept in a file so that a restart or a resumed run finds the same ones.

Ports are taken below the range the system hands to outgoing connections: a client that keeps retrying a stopped server could
otherwise connect to itself and hold the server's port.
"""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path

from assay.contracts.errors import Stop
from assay.contracts.limits import SERVER_PORTS
from assay.contracts.reasons import Reason

FIRST_PORT, PORT_COUNT = SERVER_PORTS.start, len(SERVER_PORTS)
HOST = "127.0.0.1"
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_open(port: int, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout_s)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A free port, not given out before by this process; raises Stop(PORT_UNAVAILABLE) if every one is taken."""
    start = secrets.randbelow(PORT_COUNT)
    for step in range(PORT_COUNT):
        port = FIRST_PORT + (start + step) % PORT_COUNT
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise Stop(
        Reason.PORT_UNAVAILABLE,
        f"no free port between {FIRST_PORT} and {FIRST_PORT + PORT_COUNT - 1}",
        where=HOST,
        remedy="End a program that listens there.",
    )


def claim(file: Path, names: list[str]) -> dict[str, int]:
    """The ports in `file` if they are all free, else new ones; the file says which."""
    if file.exists():
        kept: dict[str, int] = json.loads(file.read_text())
        if sorted(kept) == sorted(names) and all(is_free(port) for port in kept.values()):
            return kept
    ports = {name: free_port() for name in names}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ports))
    return ports
