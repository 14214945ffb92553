"""The place of a payment among those of its time, through a real gate: in order of arrival, over restarts, unless its client says it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gate_events import event
from gate_process import GateProcess, run_in

from assay.app.substrate import Server

TRAFFIC = "FP_BUS_TRAFFIC_FRAUD_V1"


def test_payments_have_their_place_in_order_of_arrival_or_the_one_their_client_gives_and_keep_it(
    tmp_path: Path, kafka: Server, dsn: str, namespace: str
) -> None:
    run = run_in(tmp_path / "run", kafka.address, dsn, namespace)
    calls = [[event("a"), event("given", source_order=5), event("b")], [event("c"), event("a"), event("given", source_order=9)]]
    later_calls = [[event("d"), event("a", source_order=1)]]
    gate = GateProcess(run)
    try:
        answers = [gate.batch(call) for call in calls]
        assert gate.stop() == 0
        gate = GateProcess(run)
        answers += [gate.batch(call) for call in later_calls]
        records = [record for *_, record in gate.on_bus(TRAFFIC)]
    finally:
        gate.kill()
    assert [answer["counts"] for _, answer in answers] == [{"ADMIT": 3}, {"ADMIT": 1, "DUPLICATE": 2}, {"ADMIT": 1, "DUPLICATE": 1}]
    assert Counter(record["event_id"] for record in records) == Counter(["a", "b", "c", "d", "given"])
    places = {record["event_id"]: record["source_order"] for record in records}
    assert places["given"] == 5
    assert places["a"] < places["b"] < places["c"] < places["d"]
    assert places["b"] == places["a"] + 2
