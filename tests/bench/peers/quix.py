"""Quix Streams on workload W, in a virtual environment of its own: the confluent-kafka it wants is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.peers.own_environment import environment

from assay.app.bench.peers import Peer, PeerRound
from assay.app.settings import Settings

REQUIREMENTS: Final = Path(__file__).with_name("quix.txt")


def prepare(settings: Settings, say: Callable[[str], None]) -> Callable[[PeerRound], list[str]]:
    """Install, and the command."""
    program = str(environment(settings, say, "quix", REQUIREMENTS) / "bin" / "python")
    return lambda at: [program, "-m", "bench.peers.quix_program", at.bootstrap, at.group, at.source, at.target, str(at.directory)]


PEERS: Final = {"quix": Peer(prepare, fetched=True)}
