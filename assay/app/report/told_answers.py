"""Answers that the gate gave to who waited for a decision, held against the decisions."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from assay.app.bus.topic_reader import read_records
from assay.app.bus.users import BusUser, properties_of
from assay.app.report.evidence import AnswerCounts, read_decisions
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.codecs.single_object import unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import ANSWERS


def count_answers(values: Iterable[bytes | None], decisions: pl.DataFrame | None) -> AnswerCounts:
    """`values` are records of the answers' topic, each payment's in order: the last one was told. `decisions`: see `decision_frame`."""
    told: dict[str, tuple[str, str]] = {}
    for value in values:
        if value is not None:
            record = unpack(value)[1]
            told[record["source_event_id"]] = record["answered"], record["outcome"]
    decided = {} if decisions is None else dict(decisions.filter(pl.col("event_id").is_in(list(told))).select("event_id", "outcome").rows())
    return AnswerCounts(
        told=len(told),
        fallbacks=sum(answered == "FALLBACK" for answered, _ in told.values()),
        differing=sum(event_id in decided and decided[event_id] != outcome for event_id, (_, outcome) in told.items()),
        undecided=len(told.keys() - decided.keys()),
    )


def answers_of(run: Run, settings: Settings) -> AnswerCounts | None:
    """Of a run, None where nobody could wait, or where the broker does not answer."""
    if run.config.ordering != "arrival":
        return None
    properties = properties_of(run, BusUser.READER, settings)
    try:
        records = read_records(run.bootstrap, ANSWERS, run.namespace, properties)
        return count_answers((record.value for record in records), read_decisions(run.store))
    except AssayError:
        return None


def answers_text(counts: AnswerCounts) -> str:
    """Such as `answers: 120 told · 3 at the deadline · 2 other than the decision`."""
    undecided = f" · {counts.undecided:,} without a decision" if counts.undecided else ""
    return f"answers: {counts.told:,} told · {counts.fallbacks:,} at the deadline · {counts.differing:,} other than the decision{undecided}"
