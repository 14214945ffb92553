"""The check of one lane of the topology: its shards, its machine, its columns and frames, its tables and its effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from assay.agents.assembly import carried_columns, input_columns
from assay.agents.lane_columns import column_type, expanded, is_column
from assay.agents.record_plan import column_faults, record_plan, supplies
from assay.agents.specs import JournalTopic, LaneSpec, StepSpec
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason
from assay.contracts.topics import Topic

#: stands for the entities of a policy: `entity.*` is checked as one column
ENTITIES: Final = ("*",)
#: columns that the reader fills for every record
_READER: Final = frozenset({"topic", "partition", "offset"})
#: the column that rows are ordered by
TIME: Final = "ts_us"


def check_lane(lane: LaneSpec, topics: Mapping[str, Topic]) -> None:
    """Refuse a lane that contradicts itself.

    Raises Stop: SHARDS_INVALID, MACHINE_UNFIT, SCHEMA_UNKNOWN and SCHEMA_UNSUPPORTED (a record without schema, a field that it does
    not have), COLUMN_UNKNOWN, COLUMNS_MISMATCH, COLUMN_UNWRITTEN, COLUMN_WRITTEN_TWICE, TABLE_UNOWNED, EFFECTOR_MISSING,
    EFFECTS_UNDECLARED, EFFECTS_ASKED_TWICE, COLUMN_NOT_LASTING, TOPIC_UNKNOWN (the journal).
    """
    _check_machine(lane)
    _check_shards(lane, topics)
    _check_inputs(lane)
    _check_columns(lane)
    _check_held(lane)
    _check_frames(lane)
    _check_views(lane)
    _check_effects(lane)


def _check_shards(lane: LaneSpec, topics: Mapping[str, Topic]) -> None:
    """A shard is a partition of the journal. Only steps with a key can be divided."""
    if lane.shards < 1:
        raise _stop(Reason.SHARDS_INVALID, lane, f"{lane.shards} shards", "A lane has at least one.")
    if lane.shards > 1:
        for step in lane.steps:
            if step.key == "none":
                what = f"step {step.component} has no key and runs in {lane.shards} shards"
                raise _stop(Reason.SHARDS_INVALID, lane, what, "Give the lane one shard, or the step a key.")
    if not isinstance(lane.journal, JournalTopic):
        if lane.shards > 1:
            what = f"{lane.shards} shards, its journal is one chain of segments"
            raise _stop(Reason.SHARDS_INVALID, lane, what, "Give the lane one shard, or a journal topic.")
        return
    journal = topics.get(lane.journal.handle)
    if journal is None:
        raise _stop(Reason.TOPIC_UNKNOWN, lane, f"there is no journal topic {lane.journal.handle}", "Write its topic file.")
    if journal.partitions != lane.shards or journal.partitions_scale:
        held = f"{journal.partitions} partitions{' that the wiring may change' if journal.partitions_scale else ''}"
        what = f"{lane.shards} shards, its journal topic {journal.handle} has {held}"
        raise _stop(Reason.SHARDS_INVALID, lane, what, "Give the journal topic one fixed partition per shard.")


def _check_machine(lane: LaneSpec) -> None:
    """The fold machine runs steps over a journal topic, where a TICK can release held rows. The audit machine does neither."""
    if lane.machine == "fold" and not isinstance(lane.journal, JournalTopic):
        raise _stop(Reason.MACHINE_UNFIT, lane, "its machine folds a journal topic, and it has none", "Name a journal topic.")
    if lane.machine == "audit" and isinstance(lane.journal, JournalTopic):
        raise _stop(Reason.MACHINE_UNFIT, lane, "its machine writes segments, and its journal is a topic", "Name JournalSegments.")
    for step in lane.steps if lane.machine == "audit" else ():
        what = "holds rows, and its machine writes no TICK" if step.holds else "is a step, and its machine runs none"
        raise _stop(Reason.MACHINE_UNFIT, lane, f"{step.component} {what}", "Move the step to a lane with the fold machine.")


def _check_inputs(lane: LaneSpec) -> None:
    """Every input record has a schema, and its fields have the types of the columns that they fill."""
    columns = input_columns(lane, ENTITIES)
    for spec in (spec for given in lane.inputs.values() for spec in given.records):
        for name in spec.columns:
            column_type(name)
        try:
            plan = record_plan(spec, columns)
        except Stop as error:
            remedy = "Write its Avro schema, or correct the RecordSpec."
            raise _stop(error.reason, lane, f"input record {spec.record}: {error.what}", remedy) from None
        for fault in column_faults(plan):
            raise _stop(Reason.COLUMNS_MISMATCH, lane, fault, "Correct the source in the RecordSpec or the type in lane_columns.py.")


def _check_columns(lane: LaneSpec) -> None:
    """Every column that is read comes from an input record or from an earlier step, and has one writer."""
    for step in lane.steps:
        for verb, names in (("reads", step.reads), ("writes", step.writes)):
            for name in names:
                if not is_column(name):
                    what = f"step {step.component} {verb} column {name!r}, and no lane has it"
                    raise _stop(Reason.COLUMN_UNKNOWN, lane, what, "Correct the name, or declare the column in agents/lane_columns.py.")
    records = [spec for given in lane.inputs.values() for spec in given.records if spec.rows]
    for name in input_columns(lane, ENTITIES) if lane.steps else ():
        if name not in _READER and not any(supplies(spec, name) for spec in records):
            readers = ", ".join(step.component for step in lane.steps if name in expanded(step.reads, ENTITIES)) or "the lane"
            what = f"column {name}, read by {readers}, is in no input record, and no earlier step writes it"
            raise _stop(Reason.COLUMN_UNWRITTEN, lane, what, "Write it in an earlier step, or name its source in a RecordSpec.")
    timeless = [spec.record for spec in records if lane.steps and not supplies(spec, TIME)]
    if timeless:
        what = f"column {TIME}, the event time of every row, is not in {', '.join(timeless)}"
        raise _stop(Reason.COLUMN_UNWRITTEN, lane, what, "Name its source in the RecordSpec.")
    writers = dict.fromkeys(input_columns(lane, ENTITIES), "the input records")
    for step in lane.steps:
        for name in expanded(step.writes, ENTITIES):
            _add_writer(lane, writers, f"column {name}", name, step)


def _check_held(lane: LaneSpec) -> None:
    """A held row carries the columns of earlier steps that later ones read, into another journal record."""
    for number, step in enumerate(lane.steps):
        carried = carried_columns(lane, number, ENTITIES) if step.holds else ()
        for name in carried:
            if not column_type(name).lasting:
                what = f"step {step.component} holds rows, and column {name} is right only at the row's own place"
                raise _stop(Reason.COLUMN_NOT_LASTING, lane, what, "Put the step before the one that writes the column.")


def _check_frames(lane: LaneSpec) -> None:
    """Every frame that is read comes from one earlier step, which runs for every journal record that its reader runs for."""
    writers: dict[str, str] = {}
    by_time = {step.component for step in lane.steps if step.punctuated or step.holds}
    for step in lane.steps:
        for name in step.frames_read:
            if name not in writers:
                what = f"frame {name}, read by {step.component}, is written by no earlier step"
                raise _stop(Reason.COLUMN_UNWRITTEN, lane, what, "Write it in an earlier step.")
            if step.component in by_time and writers[name] not in by_time:
                what = f"frame {name}, read by {step.component} also for records without rows, is written by {writers[name]} only for rows"
                raise _stop(Reason.COLUMN_UNWRITTEN, lane, what, "Declare its writer `punctuated`.")
        for name in step.frames_written:
            _add_writer(lane, writers, f"frame {name}", name, step)


def _add_writer(lane: LaneSpec, writers: dict[str, str], what: str, name: str, step: StepSpec) -> None:
    group = name.partition(".")[0]
    for taken, writer in writers.items():
        if name == taken or (f"{group}.*" in (name, taken) and taken.partition(".")[0] == group):
            what = f"{what} is written by {writer} and by {step.component}"
            raise _stop(Reason.COLUMN_WRITTEN_TWICE, lane, what, "Give the second one another name.")
    writers[name] = step.component


def _check_views(lane: LaneSpec) -> None:
    """A step views tables of earlier steps of its own lane."""
    owned: set[str] = set()
    for step in lane.steps:
        for table in step.views:
            if table not in owned:
                what = f"step {step.component} views table {table}, which no earlier step of the lane owns"
                raise _stop(Reason.TABLE_UNOWNED, lane, what, "Declare it under `tables` of an earlier step.")
        owned |= set(step.tables)


def _check_effects(lane: LaneSpec) -> None:
    """One step asks for effects where the lane names an effector, and none where it does not."""
    asking = [step.component for step in lane.steps if step.effects]
    if asking and lane.effector is None:
        raise _stop(Reason.EFFECTOR_MISSING, lane, f"step {asking[0]} asks for effects, no effector is named", "Name one in the LaneSpec.")
    if lane.effector is not None and not asking:
        what = f"effector {lane.effector} is named, no step declares effects"
        raise _stop(Reason.EFFECTS_UNDECLARED, lane, what, "Declare `effects` in the step that asks for them, or name no effector.")
    if len(asking) > 1:
        what = f"steps {', '.join(asking)} ask for effects; the answers of an effector belong to one step"
        raise _stop(Reason.EFFECTS_ASKED_TWICE, lane, what, "Leave one of them in this lane.")


def _stop(reason: Reason, lane: LaneSpec, what: str, remedy: str) -> Stop:
    return Stop(reason, f"lane {lane.name}: {what}", where="agents/topology.py", remedy=remedy)
