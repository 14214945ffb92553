"""`assay gate preflight`: whether a gate is ready for callers, and the evidence."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from assay.app.bus.users import BusUser, properties_of
from assay.app.gate import preflight as trying
from assay.app.run.directory import Run
from assay.app.run.secrets_file import refuse_without_key
from assay.app.screen import say, say_json
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line


def preflight(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    url: Annotated[str, typer.Option(help="address of the gate; empty: the one that the run names")] = "",
    ca_file: Annotated[Path | None, typer.Option(help="PEM file of the authority of a gate that speaks TLS")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the evidence as JSON")] = False,
) -> None:
    """Try a running gate: it refuses strangers, takes the run's key, and bus and store take what it writes.

    The rows stand in `ig/ig_ready.json` of the run's store. A row that fails ends the command with GATE_NOT_READY.

    Example: assay gate preflight --run runs/live
    """
    wired = Run.load(run)
    key, gate = refuse_without_key(wired.api_key, run), (url or wired.gate_url).rstrip("/")
    if not gate.startswith(("http://", "https://")):
        raise Stop(
            Reason.SETTING_INVALID, "no address of a gate is known", where="--url", remedy="Give the address that the gate has printed."
        )
    tls = None if ca_file is None else _authority(ca_file)
    preflight_id, now_us = f"p-{secrets.token_hex(8)}", time.time_ns() // 1_000
    tried: dict[str, Callable[[], trying.Facts]] = {
        "unauthenticated": lambda: asyncio.run(trying.strangers(gate, tls)),
        "authenticated": lambda: asyncio.run(trying.known(gate, key, tls)),
        "publish": lambda: trying.publish(wired, properties_of(wired, BusUser.GATE), preflight_id, now_us),
        "store": partial(trying.write, wired.store, preflight_id),
    }
    told = trying.evidence(trying.rows(tried), wired, gate, preflight_id, now_us)
    if as_json:
        say_json(told)
    else:
        for row in told["rows"]:
            facts = ", ".join(f"{name} {value}" for name, value in row["facts"].items() if value)
            say(f"{'passed' if row['passed'] else 'FAILED'}  {row['name']:<16}{one_line(row['fault'] or facts)}")
    trying.keep(told, wired.store)


def _authority(file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(file))
    except OSError:
        raise Stop(Reason.SETTING_INVALID, "the authority cannot be used", where=str(file), remedy="Give a PEM file.") from None
