"""Prometheus' own checker finds nothing wrong with what `/metrics` answers."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from source_tree import ROOT

from assay.app import metrics
from assay.app.metric_kinds import CounterBy, TimesBy
from assay.app.metrics import exposition

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
            counter.add_one(1, *counter.labels)
        if isinstance(counter, TimesBy):
            counter.observe(np.array([0.1]), np.array([1]), "rtdl", 0)
    metrics.LANE_LAG_ROWS.labels("rtdl", 0, "FP_BUS_TRAFFIC_FRAUD_V1").set(1)
    metrics.LANE_OWNED.labels("rtdl", 0).set(1)
    for registry in (metrics.GATE, metrics.WORKER):
        text = exposition(registry)
        assert all(f"\n{name}".encode() in text for name in metrics.declared(registry))
        assert refusals(text) == ""


def test_the_example_s_alerts_are_rules_that_prometheus_takes() -> None:
    checked = subprocess.run(["promtool", "check", "rules", str(ROOT / "infra/alerts.yaml")], capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.parametrize(("text", "said"), [(b"assay_made_up 1\n", "no help text"), (b"assay made up\n", "error while linting")])
def test_a_planted_fault_is_reported(text: bytes, said: str) -> None:
    assert said in refusals(text)
