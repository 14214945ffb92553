"""What `assay substrate up` started, in a file of its directory, so that `down` and `status` find it from another process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from assay.app.settings import Settings
from assay.app.substrate.processes import Server
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

FILE = "substrate.json"


@dataclass(frozen=True)
class ServerRecord:
    """One server as it was started; pid and supervisor are 0 for a server given by address. Times are seconds since the epoch."""

    name: str
    port: int
    address: str
    log: str
    data: str
    pid: int
    supervisor: int
    supervisor_started: float
    #: the folder of Kafka's users
    users: str = ""


def record(server: Server) -> ServerRecord:
    """The server's entry for the file."""
    pid, started = server.supervisor_identity()
    return ServerRecord(
        server.name, server.port, server.address, str(server.log or ""), str(server.data or ""), server.pid, pid, started, server.users
    )


def server(entry: ServerRecord) -> Server:
    """A handle that can stop and show the server; a pid that belongs to another process by now counts as ended."""
    handle = Server(entry.name, entry.port, entry.address, Path(entry.log), Path(entry.data), pid=entry.pid, users=entry.users)
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
    return [server(ServerRecord(**entry)) for entry in json.loads(file.read_text())] if file.exists() else []


def refuse_running(directory: Path, settings: Settings) -> None:
    """Raises Stop(DIRECTORY_BUSY) when a server that a run would start there runs already, left by `assay substrate up`."""
    given = {"kafka": settings.bus, "postgres": settings.sql}
    running = " and ".join(server.name for server in read(directory) if server.alive and not given[server.name])
    if running:
        what = f"{running} of this directory still run, left running by `assay substrate up`"
        raise Stop(Reason.DIRECTORY_BUSY, what, where=str(directory), remedy=f"`assay substrate down --dir {directory}` stops them.")


def forget(directory: Path) -> None:
    """The servers are down."""
    (directory / FILE).unlink(missing_ok=True)
