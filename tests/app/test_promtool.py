"""Prometheus' own checker finds nothing wrong with what `/metrics` answers."""

from __future__ import annotations

import subprocess

import pytest

from assay.app import metrics
from assay.app.metrics import CounterBy, exposition

pytestmark = pytest.mark.tools("promtool")


def refusals(text: bytes) -> str:
    """What `promtool check metrics` says of an exposition; nothing when it is well."""
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)
    assert (checked.returncode == 0) == (not checked.stderr), checked.stderr.decode()
    return checked.stderr.decode()


def test_every_metric_is_well_formed() -> None:
    """With a series of each: a counter without one is not printed."""
    for counter in vars(metrics).values():
        if isinstance(counter, CounterBy):
            counter.add({"a": 1})
    metrics.LANE_LAG_ROWS.labels("FP_BUS_TRAFFIC_FRAUD_V1").set(1)
    metrics.LANE_OWNED.labels("rtdl").set(1)
    text = exposition()
    assert all(f"\n{name}".encode() in text for name in metrics.declared())
    assert refusals(text) == ""


@pytest.mark.parametrize(("text", "said"), [(b"assay_made_up 1\n", "no help text"), (b"assay made up\n", "error while linting")])
def test_a_planted_fault_is_reported(text: bytes, said: str) -> None:
    assert said in refusals(text)
