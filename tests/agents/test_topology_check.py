"""A topology that contradicts itself or the topic files is refused: every rule planted in a copy of the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from planted_topologies import Planted, added, components, lane, record, source, step, topic_file
from source_tree import ROOT

from assay.agents.components import COMPONENTS, PLANNED, SCENARIO_RUNNER, WORLD_STREAMER
from assay.agents.specs import (
    ComponentSpec,
    Equals,
    Field,
    IdOf,
    InputSpec,
    JournalSegments,
    JournalTopic,
    RecordSpec,
    Role,
    StepSpec,
    ValueDigest,
)
from assay.agents.topology import ACT, AUDIT, RTDL, TOPOLOGY
from assay.agents.topology_check import check
from assay.contracts import handles
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import topics

OPERATOR = next(one for one in COMPONENTS if one.name == "operator")
#: an operator who does not read the audit topic
BLIND = replace(OPERATOR, consumes={handle: read for handle, read in OPERATOR.consumes.items() if handle != handles.AUDIT})
TRAFFIC = RTDL.inputs[handles.TRAFFIC]
ASKS_TWICE = (*ACT.steps, replace(ACT.steps[0], emits={}))

#: what is planted → (reason, words of the refusal)
REFUSALS: dict[str, tuple[Callable[[], Planted], Reason, str]] = {
    "a column that nothing writes": (
        lambda: step(RTDL, "dedupe", reads=(*RTDL.steps[0].reads, "features.longs")),
        Reason.COLUMN_UNWRITTEN, "column features.longs, read by dedupe, ",
    ),
    "an input column that no record has": (
        lambda: step(ACT, "action_layer", reads=(*ACT.steps[0].reads, "payload_hash")), Reason.COLUMN_UNWRITTEN, "payload_hash",
    ),
    "rows without an event time": (
        lambda: record(ACT, handles.RTDL, columns={}), Reason.COLUMN_UNWRITTEN, "column ts_us",
    ),
    "one of several records without an event time": (
        lambda: record(RTDL, handles.TRAFFIC, columns={"entity.*": IdOf("entities")}),
        Reason.COLUMN_UNWRITTEN, "of every row, is not in payment",
    ),
    "a frame that nothing writes": (
        lambda: step(RTDL, "decision_fabric", frames_read=("partials",)), Reason.COLUMN_UNWRITTEN, "frame partials",
    ),
    "a frame that a later step writes": (
        lambda: lane(RTDL, steps=(*RTDL.steps[:2], replace(RTDL.steps[2], frames_read=("partials",)),
                                  replace(RTDL.steps[3], frames_written=("partials",)))),
        Reason.COLUMN_UNWRITTEN, "frame partials",
    ),
    "a column of two steps": (
        lambda: added(RTDL, writes=("seen.ordinal",)), Reason.COLUMN_WRITTEN_TWICE, "seen.ordinal is written by dedupe and by newcomer",
    ),
    "a column of the inputs and of a step": (
        lambda: added(RTDL, writes=("event_id",)), Reason.COLUMN_WRITTEN_TWICE, "event_id is written by the input records and by newcomer",
    ),
    "a step that holds rows behind the step that gives them slots": (
        lambda: added(RTDL, 2, reads=("kind",), writes=(), holds=True),
        Reason.COLUMN_NOT_LASTING, "step newcomer holds rows, and column slot.* is right only at the row's own place",
    ),
    "a step that holds rows behind the step that numbers them": (
        lambda: added(RTDL, 1, reads=("kind",), writes=(), holds=True),
        Reason.COLUMN_NOT_LASTING, "step newcomer holds rows, and column seen.ordinal is right only at the row's own place",
    ),
    "a frame for records without rows, written only for rows": (
        lambda: step(RTDL, "entity_graph", punctuated=False),
        Reason.COLUMN_UNWRITTEN, "also for records without rows, is written by entity_graph only for rows",
    ),
    "a column of one entity beside the columns of all": (
        lambda: added(RTDL, writes=("slot.customer",)),
        Reason.COLUMN_WRITTEN_TWICE, "column slot.customer is written by entity_graph and by newcomer",
    ),
    "a topic without a record": (
        lambda: added(RTDL, emits={handles.AUDIT: ()}),
        Reason.EMISSION_UNLISTED, "newcomer names FP_BUS_AUDIT_V1 without a record",
    ),
    "a topic file without records": (
        lambda: topic_file(handles.AUDIT, records={}),
        Reason.TOPIC_ORPHANED, "FP_BUS_AUDIT_V1 has no records",
    ),
    "a frame of two steps": (
        lambda: lane(RTDL, steps=(*(replace(one, frames_written=("partials",)) for one in RTDL.steps[:2]), *RTDL.steps[2:])),
        Reason.COLUMN_WRITTEN_TWICE, "frame partials is written by dedupe and by entity_graph",
    ),
    "a read of an unknown column": (
        lambda: step(RTDL, "dedupe", reads=("colour",)),
        Reason.COLUMN_UNKNOWN, "lane rtdl: step dedupe reads column 'colour', and no lane has it",
    ),
    "a write of an unknown column": (
        lambda: added(RTDL, writes=("colour",)), Reason.COLUMN_UNKNOWN, "step newcomer writes column 'colour'",
    ),
    "a source of an unknown column": (
        lambda: source("colour", Field("intent.action_kind")), Reason.COLUMN_UNKNOWN, "'colour'",
    ),
    "a text for a number": (
        lambda: source("ts_us", Field("intent.action_kind")), Reason.COLUMNS_MISMATCH, "column ts_us of decision_response is number",
    ),
    "a number for a text": (lambda: source("action_kind", Field("score")), Reason.COLUMNS_MISMATCH, "action_kind"),
    "an id of another width": (lambda: source("action_id", Field("intent.idempotency_key")), Reason.COLUMNS_MISMATCH, "action_id"),
    "a digest for an id": (lambda: source("action_id", ValueDigest()), Reason.COLUMNS_MISMATCH, "action_id"),
    "a comparison of a number": (
        lambda: record(RTDL, handles.LABELS, columns={"ts_us": Field("ts_utc"), "label": Equals("ts_utc", "FRAUD")}),
        Reason.COLUMNS_MISMATCH, "label",
    ),
    "a field that the record does not have": (
        lambda: source("action_kind", Field("intent.colour")), Reason.SCHEMA_UNSUPPORTED, "intent.colour",
    ),
    "an input record without a schema": (
        lambda: lane(RTDL, inputs={**RTDL.inputs, handles.TRAFFIC: replace(TRAFFIC, records=(RecordSpec("parcel"),))}),
        Reason.SCHEMA_UNKNOWN, "parcel",
    ),
    "a table with two owners": (
        lambda: added(RTDL, tables=("features",)), Reason.TABLE_OWNED_TWICE, "rtdl/online_features, rtdl/newcomer",
    ),
    "a table of two lanes": (lambda: step(ACT, "action_layer", tables=("decisions",)), Reason.TABLE_OWNED_TWICE, "decisions"),
    "a view of a table that nobody owns": (lambda: added(RTDL, views=("graph",)), Reason.TABLE_UNOWNED, "views table graph"),
    "a view of a table of a later step": (lambda: step(RTDL, "dedupe", views=("features",)), Reason.TABLE_UNOWNED, "dedupe views"),
    "a view of a table of another lane": (lambda: step(ACT, "action_layer", views=("features",)), Reason.TABLE_UNOWNED, "lane act"),
    "effects without an effector": (lambda: lane(ACT, effector=None), Reason.EFFECTOR_MISSING, "action_layer asks for effects"),
    "an effector without effects": (lambda: step(ACT, "action_layer", effects=False), Reason.EFFECTS_UNDECLARED, "effector actions"),
    "an effector of a lane that asks for nothing": (lambda: lane(RTDL, effector="actions"), Reason.EFFECTS_UNDECLARED, "lane rtdl"),
    "two steps that ask for effects": (lambda: lane(ACT, steps=ASKS_TWICE), Reason.EFFECTS_ASKED_TWICE, "answers"),
    "a step that holds rows where nothing ticks": (
        lambda: lane(AUDIT, steps=(StepSpec("newcomer", key="event", make=ACT.steps[0].make, holds=True),)),
        Reason.MACHINE_UNFIT, "holds rows, and its machine writes no TICK",
    ),
    "a step that no machine runs": (
        lambda: lane(AUDIT, steps=(StepSpec("newcomer", key="event", make=ACT.steps[0].make),)), Reason.MACHINE_UNFIT, "runs none",
    ),
    "a fold without a journal topic": (lambda: lane(ACT, journal=JournalSegments("act")), Reason.MACHINE_UNFIT, "lane act"),
    "a hash chain with a journal topic": (
        lambda: lane(AUDIT, journal=JournalTopic(handles.AUDIT)), Reason.MACHINE_UNFIT, "its machine writes segments",
    ),
    "no shard": (lambda: lane(RTDL, shards=0), Reason.SHARDS_INVALID, "0 shards"),
    "more shards than partitions of the journal": (lambda: lane(ACT, shards=3), Reason.SHARDS_INVALID, "has 1 partitions"),
    "more partitions of the journal than shards": (
        lambda: topic_file(handles.JOURNAL_RTDL, partitions=2), Reason.SHARDS_INVALID, "has 2 partitions",
    ),
    "a journal whose partitions the wiring may change": (
        lambda: topic_file(handles.JOURNAL_RTDL, partitions_scale=True), Reason.SHARDS_INVALID, "the wiring may change",
    ),
    "shards of a chain of segments": (lambda: lane(AUDIT, shards=2), Reason.SHARDS_INVALID, "one chain of segments"),
    "shards of a step without key": (
        lambda: lane(RTDL, shards=2, steps=(replace(RTDL.steps[0], key="none"), *RTDL.steps[1:])),
        Reason.SHARDS_INVALID, "dedupe has no key",
    ),
    "two lanes with one name": (lambda: lane(ACT, name="rtdl"), Reason.LANE_IDENTITY_TAKEN, "the name rtdl"),
    "two lanes with one role": (lambda: lane(ACT, role=Role.DECIDE), Reason.LANE_IDENTITY_TAKEN, "the role decide"),
    "two lanes with one consumer group": (lambda: lane(ACT, group="rtdl"), Reason.LANE_IDENTITY_TAKEN, "the consumer group rtdl"),
    "two lanes with one journal": (lambda: lane(ACT, journal=RTDL.journal), Reason.LANE_IDENTITY_TAKEN, "the journal FP_JOURNAL_RTDL_V1"),
    "two components with one name": (lambda: components(SCENARIO_RUNNER), Reason.LANE_IDENTITY_TAKEN, "scenario_runner"),
    "an emission that the topic file does not list": (
        lambda: added(RTDL, emits={handles.RTDL: ("decision_response",)}),
        Reason.EMISSION_UNLISTED, "newcomer produces decision_response to FP_BUS_RTDL_V1",
    ),
    "an emission of a record that the topic file lists for another": (
        lambda: step(RTDL, "decision_fabric", emits={handles.RTDL: ("decision_response", "action_outcome")}),
        Reason.EMISSION_UNLISTED, "decision_fabric produces action_outcome",
    ),
    "an emission of the machine": (lambda: lane(ACT, emits={handles.AUDIT: ("audit_record",)}), Reason.EMISSION_UNLISTED, "action_layer"),
    "an emission to an unknown topic": (lambda: added(RTDL, emits={"FP_BUS_NONE_V1": ("mark",)}), Reason.TOPIC_UNKNOWN, "FP_BUS_NONE_V1"),
    "an unknown journal": (lambda: lane(RTDL, journal=JournalTopic("FP_NONE")), Reason.TOPIC_UNKNOWN, "no journal topic FP_NONE"),
    "an unknown topic for dead letters": (lambda: lane(RTDL, dead_letter="FP_NONE"), Reason.TOPIC_UNKNOWN, "FP_NONE"),
    "dead letters to a topic that does not list the lane": (
        lambda: lane(RTDL, dead_letter=handles.RTDL), Reason.PRODUCER_UNLISTED, "rtdl_lane produces quarantine_record to FP_BUS_RTDL_V1",
    ),
    "an input that the topic file does not list": (
        lambda: lane(ACT, inputs={**ACT.inputs, handles.AUDIT: InputSpec(0, (RecordSpec("audit_record", rows=False, of_run=False),))}),
        Reason.CONSUMER_UNLISTED, "action_layer consumes audit_record from FP_BUS_AUDIT_V1",
    ),
    "event time over a topic without watermarks": (
        lambda: lane(ACT, ordering="event_time"), Reason.CONSUMER_UNLISTED, "action_layer consumes mark from FP_BUS_RTDL_V1",
    ),
    "a component that writes a record of another": (
        lambda: components(ComponentSpec("newcomer", "obs_gov", "", produces={handles.AUDIT: ("audit_record",)})),
        Reason.PRODUCER_UNLISTED, "newcomer produces audit_record",
    ),
    "a component that calls an unknown one": (
        lambda: components(ComponentSpec("newcomer", "obs_gov", "", calls=("gate",))),
        Reason.COMPONENT_UNKNOWN, "newcomer calls gate, and no such component runs",
    ),
    "a component that calls a planned one": (
        lambda: components(
            ComponentSpec("newcomer", "obs_gov", "", calls=("later",)), ComponentSpec("later", "obs_gov", "", planned=True)
        ),
        Reason.COMPONENT_UNKNOWN, "newcomer calls later",
    ),
    "a planned component that calls an unknown one": (
        lambda: components(ComponentSpec("later", "obs_gov", "", calls=("gate",), planned=True)),
        Reason.COMPONENT_UNKNOWN, "later calls gate, and no such component is planned",
    ),
    "a planned component that no topic file reserves": (
        lambda: components(ComponentSpec("newcomer", "obs_gov", "", consumes={handles.AUDIT: ("audit_record",)}, planned=True)),
        Reason.CONSUMER_UNLISTED, "newcomer consumes audit_record",
    ),
    "a component of a topic file that nobody declares": (
        lambda: components(without="world_streamer"),
        Reason.CONSUMER_UNLISTED, "world_streamer consumes run_ready from FP_BUS_CONTROL_V1: the topology does not declare it",
    ),
    "a producer of a topic file that nobody declares": (
        lambda: topic_file(handles.AUDIT, producers={**topics()[handles.AUDIT].producers, "somebody": ("audit_record",)}),
        Reason.PRODUCER_UNLISTED, "somebody produces audit_record to FP_BUS_AUDIT_V1: the topology does not declare it",
    ),
    "a topic that nobody produces": (
        lambda: components(without="label_store"),
        Reason.TOPIC_ORPHANED, "no component produces label_assertion of FP_BUS_LABELS_EVENTS_V1",
    ),
    "a topic that nobody consumes": (
        lambda: lane(RTDL, inputs={handle: given for handle, given in RTDL.inputs.items() if handle != handles.CONTEXT}),
        Reason.TOPIC_ORPHANED, "no component consumes mark of FP_BUS_CONTEXT_ARRIVAL_ENTITIES_V1",
    ),
    "a topic that only a planned component consumes": (
        lambda: (replace(TOPOLOGY, components=(*(one for one in COMPONENTS if one.name != "operator"), BLIND, *PLANNED)), topics()),
        Reason.TOPIC_ORPHANED, "no component consumes audit_record of FP_BUS_AUDIT_V1",
    ),
    "a topic that nobody uses": (
        lambda: (TOPOLOGY, {**topics(), "FP_BUS_IDLE_V1": replace(topics()[handles.AUDIT], handle="FP_BUS_IDLE_V1", producers={},
                                                                  consumers={})}),
        Reason.TOPIC_ORPHANED, "no component consumes or produces audit_record of FP_BUS_IDLE_V1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", REFUSALS)
def test_a_contradiction_is_refused_with_its_reason(planted: str) -> None:
    make, reason, words = REFUSALS[planted]
    with pytest.raises(Stop) as refused:
        check(*make())
    assert refused.value.reason is reason, refused.value
    assert words in refused.value.what
    assert refused.value.remedy


def test_the_topology_that_ships_is_accepted() -> None:
    check(TOPOLOGY, topics())


def test_a_topic_that_only_planned_components_use_is_accepted() -> None:
    """The file of a topic may come before the code."""
    idle = replace(
        topics()[handles.AUDIT], handle="FP_BUS_IDLE_V1", producers={"writer": ("audit_record",)}, consumers={"reader": ("audit_record",)}
    )
    writer = ComponentSpec("writer", "obs_gov", "", produces={idle.handle: ("audit_record",)}, planned=True)
    reader = ComponentSpec("reader", "obs_gov", "", consumes={idle.handle: ("audit_record",)}, planned=True)
    check(replace(TOPOLOGY, components=(*TOPOLOGY.components, writer, reader)), {**topics(), idle.handle: idle})


def test_a_component_asks_its_declaration_before_it_reads() -> None:
    WORLD_STREAMER.check_consumes(handles.CONTROL, "run_ready")
    with pytest.raises(Stop, match="CONSUMER_UNLISTED: world_streamer may not read a decision_response from FP_BUS_RTDL_V1"):
        WORLD_STREAMER.check_consumes(handles.RTDL, "decision_response")


def test_a_contradictory_topology_cannot_be_imported(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "assay", tmp_path / "assay", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "assay/agents/topology.py"
    text = path.read_text(encoding="utf-8")
    assert 'tables=("decisions",)' in text
    path.write_text(text.replace('tables=("decisions",)', 'tables=("features",)'), encoding="utf-8")
    command = [sys.executable, "-c", "import assay.agents.topology"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "TABLE_OWNED_TWICE: table features has 2 owners" in done.stderr
