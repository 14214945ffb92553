"""Journals of undisturbed runs, for tests that fold them again."""

from __future__ import annotations

from functools import cache

from simulated_worlds import run, small_world

from assay.agents.specs import journal_topic
from assay.agents.topology import TOPOLOGY
from assay.codecs.journal_record import JournalRecord


@cache
def journal(name: str) -> tuple[JournalRecord, ...]:
    """The journal of an undisturbed run over the small world."""
    finished = run(small_world(payments=80))
    return tuple(JournalRecord.from_bytes(value) for value in finished.log.values(journal_topic(TOPOLOGY.lane(name))))
