"""`assay substrate up | down | status | prepare`: Kafka and PostgreSQL that stay until they are told to go."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import psutil
import typer

from assay.app.bus.users import BusUser, properties_file
from assay.app.cli.plain_app import plain_app
from assay.app.screen import say, say_json
from assay.app.settings import load_settings
from assay.app.sql_address import shown
from assay.app.stores.file_lock import held
from assay.app.substrate import Server, Substrate, state
from assay.app.substrate.jars import class_path
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

app = plain_app("Start, stop and show Kafka and PostgreSQL.", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="for programs")]
Directory = Annotated[Path | None, typer.Option("--dir", help="where the servers keep data and logs (default: ASSAY_SUBSTRATE)")]


def main(arguments: list[str]) -> int:
    """Run one subcommand; its exit code."""
    return int(app(arguments, prog_name="assay substrate", standalone_mode=False) or 0)


@app.command(short_help="start the servers and leave them running")
def up(directory: Directory = None, as_json: JsonOption = False) -> int:
    """Start what the settings do not name, and leave it running until `down`. Called again, it only says what runs."""
    room = _room(directory)
    with held(room, "assay substrate up"):
        servers = state.read(room)
        if not servers or not all(server.alive for server in servers if server.owned or server.pid):
            _stop(servers)
            servers = _start(room)
        if as_json:
            _show_json(servers)
            return 0
        _show(servers)
    for name, server in zip(("ASSAY_SQL", "ASSAY_BUS"), servers, strict=True):
        if server.pid:  # one that was given by its address is in the settings already
            say(f"export {name}='{server.address}'")
        if server.users:
            say(f"export ASSAY_BUS_PROPERTIES='{properties_file(Path(server.users), BusUser.ADMIN)}'")
    return 0


@app.command(short_help="stop the servers; their data stays")
def down(directory: Directory = None, as_json: JsonOption = False) -> int:
    """Stop the servers; their data stays, and the next `up` goes on with it."""
    room = _room(directory)
    with held(room, "assay substrate down"):
        servers = state.read(room)
        stopped = _stop(servers)
        state.forget(room)
    if as_json:
        say_json({"stopped": stopped, "data": str(room / "servers")})
        return 0
    say(f"stopped: {', '.join(stopped)}; data stays in {room / 'servers'}" if stopped else f"nothing was running in {room}")
    return 0


@app.command(short_help="list the servers with pid, port, memory, log and data")
def status(directory: Directory = None, as_json: JsonOption = False) -> int:
    """List the servers with pid, port, memory, log and data; exit code 1 if one is not running."""
    room = _room(directory)
    servers = state.read(room)
    if as_json:
        _show_json(servers)
    elif servers:
        _show(servers)
    else:
        say(f"nothing was started in {room}; `assay substrate up` starts it")
    return 0 if servers and all(_condition(server) != "ended" for server in servers) else 1


@app.command(short_help="fetch Kafka's jars, so that a start needs no network")
def prepare() -> int:
    """Fetch Kafka's jars and check their digests, so that a later start needs no network."""
    paths = class_path(load_settings())
    say(f"{len(paths)} jars, each with the listed digest")
    return 0


def _room(directory: Path | None) -> Path:
    return (directory or load_settings().substrate).resolve()


def _start(room: Path) -> list[Server]:
    """Owned by this process until the file is written: interrupted before that, it leaves nothing behind."""
    settings = load_settings()
    if settings.servers == "container":
        raise Stop(
            Reason.SETTING_INVALID,
            "setting servers: containers end with the process that starts them, so `up` cannot leave them running",
            where="assay substrate up",
            remedy="Use `packages`, or start them with Docker yourself and name them in ASSAY_BUS and ASSAY_SQL.",
        )
    with Substrate(room, settings) as substrate:
        state.write(room, substrate.servers)
        substrate.detach()
        return substrate.servers


def _stop(servers: list[Server]) -> list[str]:
    stopped = []
    for server in reversed(servers):
        if server.alive:
            server.stop()
            stopped.append(server.name)
    return stopped


def _condition(server: Server) -> str:
    if not server.pid:
        return "given by address"
    return "running" if server.alive else "ended"


def _show_json(servers: list[Server]) -> None:
    say_json([_facts(server) for server in servers])


def _facts(server: Server) -> dict[str, object]:
    return {**asdict(state.record(server)), "address": shown(server.address), "state": _condition(server)}


def _show(servers: list[Server]) -> None:
    for server in servers:
        say(f"{server.name:<9} {_condition(server)}{_numbers(server)}")
        say(f"          address {shown(server.address)}")
        if server.pid:
            say(f"          log     {server.log}\n          data    {server.data}")


def _numbers(server: Server) -> str:
    if not server.alive:
        return ""
    try:
        process = psutil.Process(server.pid)
        members = [process, *process.children(recursive=True)]
        resident_mb = sum(member.memory_info().rss for member in members) / 1e6
        minutes = (time.time() - process.create_time()) / 60
    except psutil.NoSuchProcess:
        return ""
    return f" · pid {server.pid} · port {server.port} · {resident_mb:.0f} MB · up {minutes:.0f} min"
