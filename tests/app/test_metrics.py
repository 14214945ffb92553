"""The metric registries are closed, each name says what it measures, and a process exports what it measures itself."""

from __future__ import annotations

import random
import re
from itertools import permutations

import numpy as np
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from source_tree import ROOT

import assay
from assay.app import metrics
from assay.app.metric_kinds import LATENCY_S, CounterBy, TimesBy
from assay.app.metrics import GATE, GATE_DECISIONS, PROCESS, RUNNER, STREAMER, WORKER, declared, exposition
from assay.app.reference.metrics_page import metrics_reference
from assay.app.run.code_digest import code_digest

#: registries of the kinds of processes
OF_PROCESSES = (GATE, WORKER, RUNNER, STREAMER)


def names(text: bytes) -> set[str]:
    """The names of all series in an exposition."""
    return {sample.name for family in text_string_to_metric_families(text.decode()) for sample in family.samples}


def test_every_metric_has_a_plain_name_and_a_sentence() -> None:
    for name, sentence in declared().items():
        assert re.fullmatch(r"(assay|process)_[a-z0-9_]+", name), name
        assert re.fullmatch(r"[A-Z0-9].+\.", sentence), sentence


def test_times_are_in_seconds_and_counters_end_in_total() -> None:
    for text in map(exposition, OF_PROCESSES):
        for line in text.decode().splitlines():
            if line.startswith("# TYPE assay"):
                _, _, name, kind = line.split()
                assert (kind == "counter") == name.endswith("_total"), name
                assert kind != "histogram" or name.endswith(("_seconds", "_items")), name


def test_counts_add_up_by_label_and_zero_makes_no_series() -> None:
    GATE_DECISIONS.add({"ADMIT": 2, "DUPLICATE": 0})
    GATE_DECISIONS.add({"ADMIT": 3})
    text = exposition(GATE).decode()
    assert 'assay_gate_decisions_total{decision="ADMIT"} 5.0' in text
    assert 'decision="DUPLICATE"' not in text


def test_no_process_exports_the_metrics_of_another() -> None:
    ours = {registry: set(declared(registry)) for registry in (*OF_PROCESSES, PROCESS)}
    for registry, other in permutations(OF_PROCESSES, 2):
        assert not ours[registry] & ours[other]
        text = exposition(registry).decode()
        assert all(f"\n# HELP {name}" in f"\n{text}" or f"\n# HELP {name}_total" in f"\n{text}" for name in ours[registry])
        assert not any(f"# HELP {name}" in text for name in ours[other])


@pytest.mark.parametrize("registry", OF_PROCESSES)
def test_each_process_says_what_it_is_and_what_it_uses(registry: CollectorRegistry) -> None:
    text = exposition(registry)
    build = f'assay_build_info{{code_digest="{code_digest().hex()}",version="{assay.__version__}"}} 1.0'
    assert build in text.decode()
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names(text)


@pytest.mark.parametrize("registry", OF_PROCESSES)
def test_no_series_tells_when_another_was_created(registry: CollectorRegistry) -> None:
    GATE_DECISIONS.add({"ADMIT": 1})
    assert not [name for name in names(exposition(registry)) if name.endswith("_created")]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_histogram_of_times_is_that_of_its_rows_one_by_one(seed: int) -> None:
    draw, registry = random.Random(seed), CollectorRegistry()
    times, told = TimesBy(registry, "assay_x", "A time.", "lane"), list[float]()
    for _ in range(50):
        batch = [
            (draw.choice([draw.choice(LATENCY_S), 10 ** draw.uniform(-5, 2.5), -1.0, 0.0]), draw.randrange(4))
            for _ in range(draw.randrange(6))
        ]
        times.observe(np.array([time for time, _ in batch]), np.array([rows for _, rows in batch], np.int64), "rtdl")
        told += [max(time, 0.0) for time, rows in batch for _ in range(rows)]
    text = generate_latest(registry).decode()
    found = {
        (s.name, s.labels.get("le", s.labels.get("percentile", ""))): s.value
        for f in text_string_to_metric_families(text)
        for s in f.samples
    }
    for bound in LATENCY_S:
        assert found["assay_x_seconds_bucket", str(bound)] == sum(time <= bound for time in told)
    assert found["assay_x_seconds_bucket", "+Inf"] == found["assay_x_seconds_count", ""] == len(told)
    assert found["assay_x_seconds_sum", ""] == pytest.approx(sum(told))
    for percent in (50, 99):
        shown = found["assay_x_percentile_seconds", str(percent)]
        exact = sorted(told)[-(-len(told) * percent // 100) - 1]
        assert exact <= shown <= max(exact * 1.1, 0.0001) or (exact > 99 and shown == float("inf"))


def test_a_histogram_without_times_has_no_series() -> None:
    registry = CollectorRegistry()
    TimesBy(registry, "assay_x", "A time.", "lane")
    assert "assay_x_seconds_bucket" not in generate_latest(registry).decode()


def test_the_metrics_reference_is_what_the_declarations_say() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == metrics_reference(), "run: python -m assay.app.reference.metrics_page docs/metrics.md"


def test_the_example_s_alerts_ask_for_metrics_and_labels_that_exist() -> None:
    """And each metric of the product that they name is spelled as it is exported."""
    rules = yaml.safe_load((ROOT / "infra/alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    exported = {name + end for name in declared() for end in ("", "_total", "_bucket", "_info")}
    labels = {label for metric in vars(metrics).values() if isinstance(metric, CounterBy | TimesBy) for label in metric.labels}
    for rule in rules:
        assert set(re.findall(r"assay_\w+", rule["expr"])) <= exported, rule["alert"]
        for listed in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert {one.strip() for one in listed.split(",")} <= labels | {"le", "topic", "code_digest"}, rule["alert"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
