"""A gate and a worker of a run that is ordered by arrival, and somebody who posts payments and waits for their decisions."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from gate_process import KEY, GateProcess
from lane_worker import WorkerProcess
from reasons_met import seen

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.bench.readiness import as_live, say_ready
from assay.app.bus.topic_reader import read_records
from assay.app.bus.topics import create_topics
from assay.app.run.directory import Run
from assay.app.substrate.ports import free_port
from assay.app.warm.world import config_of
from assay.codecs.single_object import unpack
from assay.contracts.handles import ANSWERS
from assay.testing import until

LANE = TOPOLOGY.with_role(Role.DECIDE)
DEADLINE_S = 240.0
#: rules that say at once which payment is large
RULES = {
    "policy_id": "waiting",
    "revision": "1",
    "rules": [{"code": "LARGE", "points": 90, "when": [{"feature": "amount_minor", "ge": 20_000}]}],
    "thresholds": {"DECLINE": 90},
    "fallback": {"outcome": "QUEUE_REVIEW"},
}


def run_by_arrival(directory: Path, bootstrap: str, dsn: str, namespace: str, ordering: str = "arrival") -> Run:
    """A run with its topics and a policy that names a fallback."""
    config = as_live(config_of("handbook").model_copy(update={"ordering": ordering, "policy": RULES}))
    made = Run(
        directory=directory, config=config, namespace=namespace, bootstrap=bootstrap, dsn=dsn, api_key=KEY, partitions=1,
        worker_url=f"http://127.0.0.1:{free_port()}",
    )  # fmt: skip
    made.save()
    create_topics(bootstrap, namespace, 1)
    say_ready(made)
    return made


def standby_of(run: Run) -> WorkerProcess:
    """A second worker of the decision lane; it may not be ready yet."""
    return WorkerProcess(run, pack=LANE.pack, port=free_port())


def deciding(run: Run) -> WorkerProcess:
    """The worker that the gate of the run asks, once it decides."""
    worker = WorkerProcess(run, pack=LANE.pack, port=int(run.worker_url.rpartition(":")[2]))
    until(lambda: bool(worker.lanes()), DEADLINE_S)
    return worker


def payment(event_id: str, amount_minor: int = 25_000, **changes: Any) -> dict[str, Any]:
    """A payment in the short form."""
    entities = {"customer": "c-1", "terminal": "t-1"}
    return {"event_id": event_id, "amount_minor": amount_minor, "currency": "EUR", "entities": entities, **changes}


def decide(gate: GateProcess, body: Any, deadline_ms: str = "") -> tuple[int, Any]:
    """(status, answer) of a call that waits."""
    headers = {"X-IG-Api-Key": KEY, **({"X-Deadline-Ms": deadline_ms} if deadline_ms else {})}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(gate.url + "/v1/decide", data, headers), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(seen(refused.read().decode()))


def answers(run: Run) -> list[dict[str, Any]]:
    """Every answer on the bus, in the order of the one partition."""
    return [unpack(record.value or b"")[1] for record in read_records(run.bootstrap, ANSWERS, run.namespace)]
