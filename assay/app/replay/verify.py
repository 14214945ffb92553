"""Recompute a run from its journal and policy alone, and compare with what is on the topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import polars as pl

from assay.agents.journal import out_of_reach
from assay.agents.specs import Role, journal_topic
from assay.agents.step import LaneOutput
from assay.agents.topology import TOPOLOGY
from assay.app.bus.admin import Bounds
from assay.app.bus.offsets import bounds_of
from assay.app.bus.prefetch import prefetched
from assay.app.bus.topic_reader import read_topic
from assay.app.lane.assembly import fold_machine_of, partition_counts
from assay.app.replay.compare import DIFFERENCES_SHOWN, Comparison, compare, decisions_of
from assay.app.replay.selection import Selection
from assay.app.report.evidence import ReplayEvidence, decision_frame, write_decisions
from assay.app.report.posted_labels import label_frame, write_labels
from assay.app.run.code_digest import code_digest
from assay.app.run.directory import Run, RunConfig
from assay.codecs.columns import Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.decision_set import DecisionSet
from assay.codecs.journal_record import JournalRecord
from assay.contracts.handles import LABELS, RTDL
from assay.tables.feature_plan import compile_plan


@dataclass
class Recomputed:
    """What a journal says: decisions in processing order, their digest, and refused records by reason."""

    decisions: int = 0
    digest: DecisionDigest = field(default_factory=DecisionDigest)
    whole: DecisionSet = field(default_factory=DecisionSet)
    frames: list[pl.DataFrame] = field(default_factory=list)
    configs: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)


def recompute(config: RunConfig, journal: Iterable[bytes], partitions: int | None, found: Recomputed | None = None) -> Iterator[Strings]:
    """Decisions of each journal record in turn. Needs nothing but the run's policy and its journal."""
    with closing(prefetched(_folded(config, journal, partitions))) as folded:
        for record, decided in folded:
            if found is not None:
                _note(found, record, config, decided)
            if decided is not None:
                yield decided


def _folded(config: RunConfig, journal: Iterable[bytes], partitions: int | None) -> Iterator[tuple[JournalRecord, Strings | None]]:
    lane = fold_machine_of(TOPOLOGY.with_role(Role.DECIDE), config, partition_counts(partitions))
    for value in journal:
        record = JournalRecord.from_bytes(value)
        outcome = lane.apply(value)
        lane.emitted(record.sequence)
        yield record, _decided(outcome)


def _decided(outcome: LaneOutput) -> Strings | None:
    return next((emission.values for emission in outcome.emissions if emission.handle == RTDL), None)


def _note(found: Recomputed, record: JournalRecord, config: RunConfig, decided: Strings | None) -> None:
    if record.run_config_digest != config.digest:
        found.configs.add(
            f"journal record {record.sequence} was written under run config {record.run_config_digest.hex()[:16]}, "
            f"this run's config has digest {config.digest.hex()[:16]}: a feature, rule, threshold or policy was changed"
        )
    if record.code_digest != code_digest():
        found.codes.add(f"code {record.code_digest.hex()[:16]} journaled the run, code {code_digest().hex()[:16]} recomputes it")
    if decided is not None:
        found.decisions += len(decided.lengths)
        found.digest.update(decided)
        found.whole.update(decided)
        found.frames.append(decision_frame(decided))


def verify(
    run: Run,
    progress: Callable[[int], None] = lambda decisions: None,
    properties: Mapping[str, str] | None = None,
    selection: Selection | None = None,
) -> ReplayEvidence:
    """Recompute every decision of a run, compare byte for byte, write the evidence. `properties` are Kafka's (TLS, SASL).

    With a selection only the decisions in it are compared, and no evidence is written: it would speak for the whole run.

    The run may go on meanwhile: the topic is read up to where it ended before the journal was, so every decision read is
    one that the journal must give; one that is not there yet is looked for again at the end.
    """
    started = time.monotonic()
    found = Recomputed()
    ends = iter((bounds_of(run.bootstrap, RTDL, run.namespace, properties),))
    journal_ends = whole_journal(run, properties)
    notes = iter((found,))

    def recomputed() -> Iterator[Strings]:
        for batch in recompute(run.config, read_journal(run, properties, journal_ends), run.partitions, next(notes, None)):
            progress(found.decisions)
            yield selection.of(batch) if selection else batch

    def on_topic() -> Iterator[Strings]:
        for chunk in read_topic(run.bootstrap, RTDL, run.namespace, properties, next(ends, None)):
            decisions = decisions_of(chunk.values)
            yield selection.of(decisions) if selection else decisions

    result = compare(recomputed, on_topic, compile_plan(run.config.features))
    evidence = _evidence(result, found, time.monotonic() - started)
    if selection is not None:
        return evidence
    if found.frames:
        write_decisions(run.store, found.frames)
    write_labels(run.store, (label_frame(chunk.values) for chunk in read_topic(run.bootstrap, LABELS, run.namespace, properties)))
    evidence.write(run.store)
    return evidence


def findings(result: Comparison, found: Recomputed) -> tuple[str, ...]:
    """What differs, the likely cause first. Other code is no difference by itself: equal bytes prove equal decisions."""
    causes = (*sorted(found.configs), *(sorted(found.codes) if result.differing else ()))
    return (*causes, *result.differences)


def _evidence(result: Comparison, found: Recomputed, wall_s: float) -> ReplayEvidence:
    differences = findings(result, found)
    return ReplayEvidence(
        verified=not differences and not result.differing,
        compared=result.recomputed,
        differing=result.differing,
        differences=differences[:DIFFERENCES_SHOWN],
        decision_digest=found.digest.hexdigest(),
        decision_set=found.whole.hexdigest(),
        wall_s=wall_s,
    )


def whole_journal(run: Run, properties: Mapping[str, str] | None = None) -> Bounds:
    """Where the rtdl lane's journal begins and ends now. Raises Stop(JOURNAL_OUT_OF_REACH) when it was truncated."""
    bounds = bounds_of(run.bootstrap, _journal_handle(), run.namespace, properties)
    for first, end in bounds.values():
        if first > 0:  # a part of the decisions could be compared, which would be read as all of them
            raise out_of_reach(_journal_handle(), 0, first, end, _WHOLE)
    return bounds


_WHOLE = "The journal was truncated, and this needs all of it: take a run whose journal is whole, or restore the topic."


def read_journal(run: Run, properties: Mapping[str, str] | None = None, bounds: Bounds | None = None) -> Iterator[bytes]:
    """Every record of the rtdl lane's journal, in order; a missing one is found by its sequence."""
    for chunk in read_topic(run.bootstrap, _journal_handle(), run.namespace, properties, bounds):
        yield from (value or b"" for value in chunk.values.tolist())


def _journal_handle() -> str:
    return journal_topic(TOPOLOGY.with_role(Role.DECIDE))
