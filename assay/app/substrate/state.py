"""What `assay substrate up` started, in a file of its directory, so that `down` and `status` find it from another process."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from assay.app.substrate.processes import Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FILE = "substrate.json"


@dataclass(frozen=True)
class Record:
    """One server as it was started; pid and supervisor are 0 for a server given by address. Times are seconds since the epoch."""

    name: str
    port: int
    address: str
    log: str
    data: str
    pid: int
    supervisor: int
    supervisor_started: float


def record(server: Server) -> Record:
    """The server's entry for the file."""
    pid, started = server.supervisor_identity()
    return Record(server.name, server.port, server.address, str(server.log or ""), str(server.data or ""), server.pid, pid, started)


def server(entry: Record) -> Server:
    """A handle that can stop and show the server; a pid that belongs to another process by now counts as ended."""
    handle = Server(entry.name, entry.port, entry.address, Path(entry.log), Path(entry.data), pid=entry.pid)
    if entry.supervisor and psutil.pid_exists(entry.supervisor):
        process = psutil.Process(entry.supervisor)
        if abs(process.create_time() - entry.supervisor_started) < 1.0:
            handle.adopt(process)
    return handle


def write(directory: Path, servers: list[Server]) -> None:
    """Put the list in place in one step."""
    draft = directory / f"{FILE}.draft"
    draft.write_text(json.dumps([asdict(record(one)) for one in servers], indent=1))
    draft.replace(directory / FILE)


def read(directory: Path) -> list[Server]:
    """The servers that were started there; none if nothing was."""
    file = directory / FILE
    return [server(Record(**entry)) for entry in json.loads(file.read_text())] if file.exists() else []


def forget(directory: Path) -> None:
    """The servers are down."""
    (directory / FILE).unlink(missing_ok=True)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the directory against another `up` or `down`; raises Stop(SUBSTRATE_BUSY) if one is at work."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(
                Reason.SUBSTRATE_BUSY,
                "another `assay substrate` is starting or stopping these servers",
                where=str(directory),
                remedy="Wait for it.",
            ) from None
        yield
