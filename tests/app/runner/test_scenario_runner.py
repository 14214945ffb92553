"""A run becomes READY once: durable truth first, then the announcement, with ids that a rerun repeats."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scenario_runs import run_scenario
from small_runs import KeptRecords, config_of
from small_worlds import NOW_US, small_world

from assay.agents.components import SCENARIO_RUNNER
from assay.app.runner import signals
from assay.app.runner.record import Record
from assay.app.runner.signals import bus_record
from assay.app.runner.states import RunState
from assay.contracts.errors import Stop
from assay.contracts.handles import CONTROL, FEATURE_SETS
from assay.contracts.ids import ready_message_id
from assay.contracts.topics import Edge, edges, topic
from assay.tables.feature_plan import compile_plan

STORY = ["LEASE_ACQUIRED", "RUN_ACCEPTED", "PLAN_COMMITTED", "GOV_POLICY_REV", "READY_COMMITTED", "READY_PUBLISHED", "MARKS_PUBLISHED"]


def test_ready_posture_and_final_marks_are_published(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    run_scenario(config, world.store, bus, NOW_US)
    (names, *read) = bus.read()
    assert names[:2] == ("FP_BUS_FEATURE_SETS_V1", "feature_set")
    assert [(handle, name) for handle, name, _ in read] == [
        ("FP_BUS_POSTURE_V1", "posture"),
        ("FP_BUS_CONTROL_V1", "run_ready"),
        ("FP_BUS_POSTURE_V1", "mark"),
        ("FP_BUS_CONTROL_V1", "mark"),
    ]
    posture, ready = read[0][2], read[1][2]
    assert (posture["mode"], posture["action_posture"], posture["ts_utc"]) == ("NORMAL", "NORMAL", world.manifest.min_ts_us)
    assert ready["ts_utc"] == world.manifest.min_ts_us
    assert ready["run_config_digest"] == config.digest
    assert all(record["pins"] == config.pins.as_avro() for _, _, record in read)
    assert all(record["final"] for _, name, record in read if name == "mark")
    assert {record["ts_utc"] for _, name, record in read if name == "mark"} == {ready["ts_utc"] + 1}, "READY is before its mark"


def test_keys_and_partitions_are_those_of_the_topic(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    digest = compile_plan(config.features).digest.hex()
    run_scenario(config, world.store, bus, NOW_US)
    for handle, record in bus.published:
        assert record.key == (b"platform_20260101T000000Z" if handle != "FP_BUS_FEATURE_SETS_V1" else digest.encode())
        assert 0 <= record.partition < topic(handle).partition_count()


def test_the_runner_writes_only_what_the_topic_files_list_for_it(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    run_scenario(config, world.store, bus, NOW_US)
    published = bus.read()
    assert {(handle, name) for handle, name, _ in published} == {
        ("FP_BUS_CONTROL_V1", "run_ready"), ("FP_BUS_CONTROL_V1", "mark"),
        ("FP_BUS_POSTURE_V1", "posture"), ("FP_BUS_POSTURE_V1", "mark"), ("FP_BUS_FEATURE_SETS_V1", "feature_set"),
    }  # fmt: skip
    for handle, name, _ in published:
        assert Edge("scenario_runner", "produces", handle, name) in set(edges())
    for handle, name in (("FP_BUS_TRAFFIC_FRAUD_V1", "payment"), ("FP_BUS_CONTROL_V1", "posture"), ("FP_BUS_POSTURE_V1", "run_ready")):
        with pytest.raises(Stop, match=f"PRODUCER_UNLISTED: scenario_runner may not write a {name}"):
            bus_record(handle, name, {}, 1)


def test_the_declaration_of_the_runner_decides_and_no_second_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is taken out of the ComponentSpec is refused before it is published."""
    world, bus = small_world(tmp_path), KeptRecords()
    monkeypatch.setattr(
        signals, "SCENARIO_RUNNER", replace(SCENARIO_RUNNER, produces={CONTROL: ("run_ready",), FEATURE_SETS: ("feature_set",)})
    )
    with pytest.raises(Stop, match="PRODUCER_UNLISTED: scenario_runner may not write a posture to FP_BUS_POSTURE_V1"):
        run_scenario(config_of(world.manifest), world.store, bus, NOW_US)
    assert bus.read() == []


def test_the_names_of_features_are_those_of_the_document_in_the_order_of_the_values(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    run_scenario(config, world.store, bus, NOW_US)
    plan = compile_plan(config.features)
    (first,) = (record for _, name, record in bus.read() if name == "feature_set")
    assert (first["longs"], first["doubles"], first["entities"]) == (list(plan.long_names), list(plan.double_names), list(plan.entities))
    assert (first["feature_set"], first["revision"], first["content_digest"]) == (plan.feature_set, plan.revision, plan.digest)


def test_arrival_runs_get_no_final_marks(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    run_scenario(config_of(world.manifest, ordering="arrival"), world.store, bus, NOW_US)
    assert [name for _, name, _ in bus.read()] == ["feature_set", "posture", "run_ready"]


def test_a_rerun_announces_nothing_behind_a_final_mark_and_changes_no_fact(tmp_path: Path) -> None:
    world, first, second = small_world(tmp_path), KeptRecords(), KeptRecords()
    config = config_of(world.manifest)
    ready = run_scenario(config, world.store, first, NOW_US)
    events = Record(world.store, config.scenario_run_id).read_on().events
    assert run_scenario(config, world.store, second, NOW_US + 1) == ready
    assert second.published == []
    assert Record(world.store, config.scenario_run_id).read_on().events == events


@pytest.mark.parametrize("published", range(5))
def test_a_crash_anywhere_in_the_announcement_leaves_no_signal_behind_a_final_mark(tmp_path: Path, published: int) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    bus.room = published
    with pytest.raises(Stop, match="PRODUCE_FAILED"):
        run_scenario(config, world.store, bus, NOW_US)
    bus.room = None
    run_scenario(config, world.store, bus, NOW_US + 1)
    for handle in ("FP_BUS_POSTURE_V1", "FP_BUS_CONTROL_V1"):
        names = [name for of, name, _ in bus.read() if of == handle]
        assert set(names) > {"mark"}
        assert names == sorted(names, key="mark".__eq__), "every mark is behind every signal"


def test_the_ledger_tells_the_story_in_order(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    config = config_of(world.manifest)
    ready = run_scenario(config, world.store, KeptRecords(), NOW_US)
    record = Record(world.store, config.scenario_run_id).read_on()
    assert [event["event_kind"] for event in record.events] == STORY
    assert record.standing.state == RunState.READY
    facts = json.loads(world.store.read(ready.facts_view_ref))
    assert facts["rows"] == {"traffic": 4, "context": 0, "label": 3, "truth": 3}
    assert ready.message_id == ready_message_id(config.platform_run_id, config.scenario_run_id, facts["bundle_hash"])


def test_ready_that_could_not_be_published_is_published_by_the_next_run(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    bus.away = True
    with pytest.raises(Stop, match="PRODUCE_FAILED"):
        run_scenario(config, world.store, bus, NOW_US)
    record = Record(world.store, config.scenario_run_id).read_on()
    assert record.standing.state == RunState.READY
    assert record.events[-1]["event_kind"] == "READY_PUBLISH_FAILED"
    bus.away = False
    run_scenario(config, world.store, bus, NOW_US + 1)
    assert len(bus.published) == 5


def test_a_damaged_world_is_set_aside_and_only_that_is_said(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    part = world.manifest.stream_view[0]
    world.store.replace(f"{world.root}/{part.key}", b"something else")
    answer = run_scenario(config, world.store, bus, NOW_US)
    assert (answer.state, answer.reason_code, "DIGEST_MISMATCH" in answer.why) == ("QUARANTINED", "EVIDENCE_CONFLICT", True)
    assert [name for _, name, _ in bus.read()] == ["run_terminal_signal"]
    record = Record(world.store, config.scenario_run_id).read_on()
    assert (record.standing.state, record.standing.reason) == (RunState.QUARANTINED, "EVIDENCE_CONFLICT")


def test_pins_that_are_not_the_worlds_are_refused(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    answer = run_scenario(config_of(world.manifest, seed=99), world.store, KeptRecords(), NOW_US)
    assert (answer.state, answer.reason_code, "seed" in answer.why) == ("FAILED", "RUN_SCOPE_MISMATCH", True)


def test_a_run_keeps_the_configuration_it_was_planned_with(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    run_scenario(config_of(world.manifest), world.store, KeptRecords(), NOW_US)
    with pytest.raises(Stop, match="PLAN_DRIFT"):
        run_scenario(config_of(world.manifest, label_delay_us=1), world.store, KeptRecords(), NOW_US + 1)


def test_progress_counts_parts(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    seen: list[tuple[int, int]] = []
    run_scenario(config_of(world.manifest), world.store, KeptRecords(), NOW_US, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_a_run_whose_labels_are_still_to_come_is_refused(tmp_path: Path) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    config = config_of(world.manifest)
    told_us = world.manifest.max_ts_us + config.label_delay_us
    answer = run_scenario(config, world.store, bus, told_us - 1)
    assert answer.reason_code == "TIME_IN_FUTURE"
    assert "2018-04-02T00:00:00.500000Z, and 7d after it" in answer.why
    assert [name for _, name, _ in bus.read()] == ["run_terminal_signal"]
    other = config_of(world.manifest, scenario_run_id="7" * 32)
    run_scenario(other, world.store, bus, told_us)


@pytest.mark.parametrize(
    ("delay_us", "reason"), [(0, "LABEL_NOT_AFTER_PAYMENT"), (-1, "LABEL_NOT_AFTER_PAYMENT"), (2**62, "TIME_IN_FUTURE")]
)
def test_a_label_delay_that_no_label_can_keep_is_refused_before_ready(tmp_path: Path, delay_us: int, reason: str) -> None:
    world, bus = small_world(tmp_path), KeptRecords()
    answer = run_scenario(config_of(world.manifest, label_delay_us=delay_us), world.store, bus, NOW_US)
    assert (answer.state, answer.reason_code) == ("FAILED", reason)
    assert [name for _, name, _ in bus.read()] == ["run_terminal_signal"]
