"""Every peer of `assay bench lane` by its name, with how it is prepared and started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from bench.peers import flink, kafka_streams, quix

from assay.app.bench.peers import Peer, PeerRound
from assay.app.settings import Settings
from assay.app.substrate.ports import free_port


def faust(module: str, settings: Settings, say: Callable[[str], None]) -> Callable[[PeerRound], list[str]]:
    """Faust is there already: the product stands on it."""
    return lambda at: [
        sys.executable, "-m", module, at.bootstrap, at.group, at.source, at.target, str(at.directory), str(free_port()),
    ]  # fmt: skip


PEERS: Final = {
    **flink.PEERS,
    **kafka_streams.PEERS,
    **quix.PEERS,
    "faust_tuned": Peer(partial(faust, "bench.peers.faust_tuned"), slow=True),
    "faust_plain": Peer(partial(faust, "bench.peers.faust_plain"), documents=True, slow=True),
}
