"""The metric registry is closed, and each name says what it measures."""

from __future__ import annotations

import re

from assay.app.metrics import GATE_DECISIONS, declared, exposition


def test_every_metric_has_a_plain_name_and_a_sentence() -> None:
    for name, sentence in declared().items():
        assert re.fullmatch(r"assay_[a-z0-9_]+", name), name
        assert re.fullmatch(r"[A-Z0-9].+\.", sentence), sentence


def test_counts_add_up_by_label_and_zero_makes_no_series() -> None:
    GATE_DECISIONS.add({"ADMIT": 2, "DUPLICATE": 0})
    GATE_DECISIONS.add({"ADMIT": 3})
    text = exposition().decode()
    assert 'assay_gate_decisions_total{decision="ADMIT"} 5.0' in text
    assert 'decision="DUPLICATE"' not in text
