"""Quix Streams on workload W, in a virtual environment of its own: the confluent-kafka it wants is not ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

from assay.app.bench.peers import Peer, PeerRound
from assay.app.settings import Settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

REQUIREMENTS: Final = Path(__file__).with_name("quix.txt")
INSTALL_TIMEOUT_S: Final = 900


def prepare(settings: Settings, say: Callable[[str], None]) -> Callable[[PeerRound], list[str]]:
    """Install, and the command."""
    program = str(_environment(settings, say) / "bin" / "python")
    return lambda at: [program, "-m", "bench.peers.quix_program", at.bootstrap, at.group, at.source, at.target, str(at.directory)]


def _environment(settings: Settings, say: Callable[[str], None]) -> Path:
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = settings.cache / "peers" / f"quix-{digest}"
    complete = place / "complete"
    if complete.exists():
        return place
    say(f"quix: install {REQUIREMENTS.name} …")
    venv.create(place, clear=True, with_pip=True)
    command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
    if ended.returncode:
        raise Stop(Reason.BENCH_INVALID, f"the packages of Quix Streams were not installed:\n{ended.stderr}", where=str(place))
    complete.touch()
    return place


PEERS: Final = {"quix": Peer(prepare, fetched=True)}
