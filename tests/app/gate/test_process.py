"""A gate without its servers: what it says, and what it takes while it cannot admit."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from gate_events import NOW_US, event, paid, raw
from gate_process import run_in
from small_worlds import small_world

from assay.app.demo.new_run import live_config, world_config
from assay.app.gate.admission import Admissible, RefusedEvent
from assay.app.gate.calls import IngestCall
from assay.app.gate.health import GateState
from assay.app.gate.pipeline import BACKLOG_ITEMS
from assay.app.gate.process import Gate, build, serve
from assay.app.policy.documents import load_policy
from assay.app.run.directory import Run
from assay.app.substrate.ports import free_port
from assay.contracts.caller import OF_RUN_KEY
from assay.contracts.errors import Retry
from assay.contracts.reasons import Reason

ITEM = raw(event())


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Wired to addresses where nothing listens; not started."""
    return build(run_in(tmp_path, "127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/none", "t.", topics=False))


def served(gate: Gate, port: int, listening: Callable[[int], None]) -> None:
    """Serve until a signal. A gate is a process of its own and looks for cycles seldom: a test process looks again as before."""
    thresholds = gc.get_threshold()
    try:
        asyncio.run(serve(gate, "127.0.0.1", port, listening))
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)


def test_parts_that_are_away_make_it_red_with_a_reason_each(gate: Gate) -> None:
    states = [gate.health.state]
    gate.health.look()
    states.append(gate.health.state)
    assert states == [GateState.AMBER, GateState.RED]
    assert [reason.split(":")[0] for reason in gate.health.reasons()] == ["BUS_UNAVAILABLE", "BUS_UNAVAILABLE", "INDEX_UNAVAILABLE"]
    assert isinstance(gate.health.first_fault(), Retry)


def test_a_gate_knows_the_truth_columns_of_its_runs_world(tmp_path: Path) -> None:
    manifest = small_world(tmp_path, entities={"customer": "who", "terminal": "shop"}).manifest
    config = world_config("platform_20260101T000000Z", manifest, load_policy("handbook"))
    gate = build(Run(directory=tmp_path, config=config, bootstrap="127.0.0.1:1", dsn="postgresql://nobody@127.0.0.1:1/none"))
    scope = {**config.pins.as_json(), "run_id": config.run_id}
    told, plain = (event(payload=paid(attributes={name: "x"}), **scope) for name in ("Why", "channel"))
    refused = gate.pipeline._arrivals._examiner.examine(raw(told), NOW_US, 0)
    assert isinstance(refused, RefusedEvent)
    assert refused.reason is Reason.TRUTH_COLUMN_IN_LIVE_ROW
    assert isinstance(gate.pipeline._arrivals._examiner.examine(raw(plain), NOW_US, 0), Admissible)


def test_a_gate_knows_the_entities_and_currencies_of_its_runs_policy(tmp_path: Path) -> None:
    config = live_config("platform_20260101T000000Z", load_policy("handbook"))
    config = config.model_copy(update={"features": {**config.features, "currencies": ["EUR"]}})
    gate = build(Run(directory=tmp_path, config=config, bootstrap="127.0.0.1:1", dsn="postgresql://nobody@127.0.0.1:1/none"))
    scope = {**config.pins.as_json(), "run_id": config.run_id}
    ended = []
    for payload in (paid(), paid(entities={"costumer": "596"}), paid(entities={}), paid(currency="USD"), paid(currency="XQZ")):
        item = gate.pipeline._arrivals._examiner.examine(raw(event(payload=payload, **scope)), NOW_US, 0)
        ended.append(item.reason if isinstance(item, RefusedEvent) else None)
    assert ended == [None, Reason.ENTITY_UNKNOWN, Reason.ENTITY_MISSING, Reason.CURRENCY_NOT_OF_POLICY, Reason.CURRENCY_UNKNOWN]


def test_claims_hold_the_lock_of_their_process_and_are_durable_as_what_is_settled_is(gate: Gate) -> None:
    """A claim that a crashed server forgot would be published twice; a settled batch was answered."""
    claims, settled = gate.reach.claims, gate.reach.settled
    assert (claims._durable, claims.process) == (True, ("platform_20260101T000000Z", 0))
    assert (settled._durable, settled.process) == (True, None)
    assert gate.pipeline._index is claims
    assert gate.pipeline._settler._index is settled


def test_a_gate_knows_whether_it_can_admit_before_it_says_that_it_listens(gate: Gate) -> None:
    """It has looked at its parts, looks on, and its threads admit: a client that asks at once is told the truth."""
    seen: list[tuple[GateState, bool, bool]] = []

    def listening(port: int) -> None:
        seen.append((gate.health.state, gate.health._thread.is_alive(), all(thread.is_alive() for thread in gate.pipeline._threads)))
        os.kill(os.getpid(), signal.SIGTERM)

    served(gate, 0, listening)
    assert seen == [(GateState.RED, True, True)]
    assert not any(thread.is_alive() for thread in (gate.health._thread, *gate.pipeline._threads)), "a stopped gate has let go"


def test_a_gate_takes_no_call_before_it_has_looked_for_its_database(tmp_path: Path) -> None:
    """Its database, met first, asks whether the gate's port is open already."""
    port, answered = free_port(), list[bool]()
    with socket.create_server(("127.0.0.1", 0)) as database:
        dsn = f"postgresql://nobody@127.0.0.1:{database.getsockname()[1]}/none?sslmode=disable&gssencmode=disable"
        gate = build(run_in(tmp_path, "127.0.0.1:1", dsn, "t.", topics=False))

        def asked() -> None:
            connection, _ = database.accept()
            with connection, socket.socket() as call:
                answered.append(call.connect_ex(("127.0.0.1", port)) == 0)
            database.close()

        asking = threading.Thread(target=asked)
        asking.start()
        served(gate, port, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        asking.join()
    assert answered == [False]


def test_more_waiting_than_it_can_hold_is_refused(gate: Gate) -> None:
    gate.pipeline.submit(IngestCall([ITEM] * BACKLOG_ITEMS, exceptions_only=True, caller=OF_RUN_KEY))
    with pytest.raises(Retry) as refusal:
        gate.pipeline.submit(IngestCall([ITEM], exceptions_only=True, caller=OF_RUN_KEY))
    assert refusal.value.reason is Reason.GATE_OVERLOADED


def test_a_gate_that_drains_takes_nothing_more_and_answers_what_it_took(gate: Gate) -> None:
    taken = IngestCall([ITEM], exceptions_only=True, caller=OF_RUN_KEY)
    gate.pipeline.submit(taken)
    gate.pipeline.start()
    gate.pipeline.drain()
    failure = taken.answer.exception(0)
    assert isinstance(failure, Retry)
    assert failure.reason is Reason.INDEX_UNAVAILABLE
    with pytest.raises(Retry) as refusal:
        gate.pipeline.submit(IngestCall([ITEM], exceptions_only=True, caller=OF_RUN_KEY))
    assert refusal.value.reason is Reason.GATE_DRAINING
