"""Whether those run who take what is sent: lanes of chosen packs, as the run's worker says. Nothing is sent before they do."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from typing import Final

from assay.agents.step import LaneId
from assay.agents.topology import TOPOLOGY
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

POLL_S: Final = 0.5
ANSWER_S: Final = 5.0
_REMEDY: Final = "Start `assay worker` with these packs, then run the same command again."

#: the lanes that a worker runs, as `rtdl/0`
RunningLanes = Callable[[], Sequence[str]]


def lanes_of(packs: Sequence[str]) -> tuple[str, ...]:
    """The lanes of some packs, each shard, as `rtdl/0`. Raises Stop(PACK_UNKNOWN)."""
    known = sorted({lane.pack for lane in TOPOLOGY.lanes})
    for pack in packs:
        if pack not in known:
            raise Stop(Reason.PACK_UNKNOWN, f"there is no pack '{pack}'", where="--require-pack", remedy=f"Packs: {', '.join(known)}.")
    return tuple(str(LaneId(lane.name, shard)) for lane in TOPOLOGY.lanes if lane.pack in packs for shard in range(lane.shards))


def running_lanes(worker_url: str) -> Sequence[str]:
    """The lanes that a worker runs, as its /healthz says. Raises OSError, ValueError."""
    with urllib.request.urlopen(f"{worker_url}/healthz", timeout=ANSWER_S) as answer:  # noqa: S310 - the address of the run's own worker
        return [str(lane) for lane in json.loads(answer.read())["lanes"]]


def await_lanes(wanted: Sequence[str], running: RunningLanes, worker_url: str, timeout_s: float, poll_s: float = POLL_S) -> None:
    """Return when all these lanes run. Raises Retry(WORKER_UNAVAILABLE, LANE_NOT_ACTIVE) when they do not within `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while wanted:
        try:
            missing = sorted(set(wanted) - set(running()))
            refusal = Retry(Reason.LANE_NOT_ACTIVE, f"no worker runs {', '.join(missing)}", where=worker_url, remedy=_REMEDY)
        except (OSError, ValueError, KeyError, TypeError) as error:
            missing = list(wanted)
            refusal = Retry(Reason.WORKER_UNAVAILABLE, f"the worker does not answer: {error}", where=worker_url, remedy=_REMEDY)
        if not missing:
            return
        if time.monotonic() >= deadline_s:
            raise refusal
        time.sleep(poll_s)
