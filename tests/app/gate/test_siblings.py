"""Metrics of several processes in one answer: nothing is added up, nothing is lost, and a silent process is told."""

from __future__ import annotations

import asyncio
import socket

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assay.app.gate.siblings import Siblings, merged


def told(value: float) -> str:
    registry = CollectorRegistry()
    Counter("calls_total", "Calls.", ["kind"], registry=registry).labels('a "b"').inc(value)
    Gauge("red", "Red.", registry=registry).set(value)
    Histogram("took_seconds", "Took.", buckets=(1, 2), registry=registry).observe(value)
    return generate_latest(registry).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_each_sample_of_each_process_is_there_with_its_process_and_its_type() -> None:
    one, two = told(1), told(2)
    both = samples(merged({"0": one, "1": two}).decode())
    for process, text in (("0", one), ("1", two)):
        for (name, labels), value in samples(text).items():
            if not name.endswith("_created"):
                assert both[name, tuple(sorted((*labels, ("process", process))))] == value
    types = {family.name: family.type for family in text_string_to_metric_families(merged({"0": one, "1": two}).decode())}
    assert {name: types[name] for name in ("calls", "red", "took_seconds")} == {
        "calls": "counter",
        "red": "gauge",
        "took_seconds": "histogram",
    }
    assert len([line for line in merged({"0": one, "1": two}).decode().splitlines() if line.startswith("# TYPE red ")]) == 1


def test_a_process_that_does_not_answer_is_told_and_the_others_are_there() -> None:
    found = samples(merged({"0": told(1), "1": ""}).decode())
    assert found["assay_gate_process_up", (("process", "0"),)] == 1
    assert found["assay_gate_process_up", (("process", "1"),)] == 0
    assert ("red", (("process", "0"),)) in found


def test_a_process_asks_the_others_where_they_listen() -> None:
    async def asked() -> tuple[str, str]:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            ports = one.getsockname()[1], two.getsockname()[1]
        alone = (await Siblings(ports, 0).exposition()).decode()
        runner = await Siblings(ports, 1).serve()
        try:
            return alone, (await Siblings(ports, 0).exposition()).decode()
        finally:
            await runner.cleanup()

    alone, both = asyncio.run(asked())
    up = [("assay_gate_process_up", (("process", number),)) for number in ("0", "1")]
    assert [samples(alone)[name] for name in up] == [1, 0]
    assert [samples(both)[name] for name in up] == [1, 1]
