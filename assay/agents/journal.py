"""The rules for reading a journal, and the refusals of a journal that a lane must not go on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assay.agents.step import TopicPartition
from assay.codecs.journal_record import CLAIM, UPGRADE, JournalRecord
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


@dataclass
class JournalReader:
    """Follows the journal of one shard: contiguous sequences, and no record of an epoch that a later claim has ended.

    `accept` gives False for a record of a superseded epoch (its writer had lost the lane) and for a claim that did not know
    the records before it, another's claim of the same epoch among them (its writer sees an unexpected offset and stops). It
    raises Stop(JOURNAL_SEQUENCE_GAP) when a record is missing, Stop(JOURNAL_UNREADABLE) for a record of another shard.
    """

    shard: int = 0
    epoch: int = 0
    sequence: int = -1

    def accept(self, record: JournalRecord) -> bool:
        """Whether this record counts; moves to it if so."""
        if record.shard != self.shard:
            raise Stop(
                Reason.JOURNAL_UNREADABLE,
                f"journal of shard {self.shard}: record {record.sequence} is of shard {record.shard}",
                remedy="The partition of a journal is its shard: a writer was given the wrong one. Restore the journal's topic.",
            )
        if record.kind in (CLAIM, UPGRADE):
            if record.epoch <= self.epoch or record.sequence <= self.sequence:
                return False
            self.epoch = record.epoch
        elif record.epoch != self.epoch:
            if record.epoch < self.epoch:
                return False
            raise Stop(
                Reason.JOURNAL_SEQUENCE_GAP,
                f"journal of shard {self.shard}: epoch {record.epoch} writes without a claim after epoch {self.epoch}",
            )
        if record.sequence != self.sequence + 1:
            raise Stop(
                Reason.JOURNAL_SEQUENCE_GAP,
                f"journal of shard {self.shard}: sequence {record.sequence} follows {self.sequence}",
                remedy="The journal was altered or truncated; restore it from the archive before starting this lane.",
            )
        self.sequence = record.sequence
        return True


def other_code(lane: str, record: JournalRecord, digest: bytes) -> Stop:
    """A tail of other code: what this code would emit of it may differ from what is out."""
    return Stop(
        Reason.CODE_DIGEST_MISMATCH,
        f"lane {lane}: records from {record.sequence} on are not emitted and were journaled by code "
        f"{record.code_digest.hex()[:12]}, this worker is {digest.hex()[:12]}",
        remedy="Start the worker version that wrote them once; it finishes the tail, then upgrade.",
    )


def other_policy(lane: str, record: JournalRecord, digest: bytes) -> Stop:
    """A record of another policy: folded under this one it decides otherwise."""
    return Stop(
        Reason.RUN_CONFIG_MISMATCH,
        f"lane {lane}: record {record.sequence} was journaled under run config {record.run_config_digest.hex()[:12]}, "
        f"this run has {digest.hex()[:12]}",
        remedy="A feature, rule or policy of the run was changed: put it back, or start a new run with it.",
    )


def other_layout(lane: str, record: JournalRecord, columns: Iterable[str]) -> Stop:
    """A record that holds other columns than the steps of this code read."""
    return Stop(
        Reason.LAYOUT_UNSUPPORTED,
        f"lane {lane}: record {record.sequence} holds the columns {', '.join(sorted(columns))}, this version reads others",
        remedy="The run was begun by another version of assay: go on with that version, or start a new run.",
    )


_TRUNCATED = "It was truncated beyond every usable snapshot, or the topic was made anew: restore a snapshot or the topic."


def out_of_reach(topic: str, needed: int, first: int, end: int, remedy: str = _TRUNCATED) -> Stop:
    """A journal that does not hold the record that a lane must fold next. `remedy` is of a reader that can do more than a worker."""
    return Stop(
        Reason.JOURNAL_OUT_OF_REACH,
        f"the journal is needed from offset {needed} on and holds {first} to {end}",
        where=topic,
        remedy=remedy,
    )


def missing_offset(topic: str, expected: int, found: int) -> Stop:
    """A journal in which an offset holds no record."""
    return Stop(
        Reason.JOURNAL_SEQUENCE_GAP,
        f"offset {expected} is missing, the next record is {found}",
        where=topic,
        remedy="A journal is never compacted and only truncated to a snapshot; restore the topic.",
    )


def recreated(where: str, what: str) -> Stop:
    """A journal that is not the one the lane wrote."""
    return Stop(
        Reason.JOURNAL_RECREATED,
        f"the journal was made anew or has lost its end: {what}",
        where=where,
        remedy="Restore the journal's topic, or start a new run: going on would decide again what is decided.",
    )


def refuse_cut_short(lane: str, committed: Mapping[TopicPartition, int], position: Mapping[TopicPartition, int]) -> None:
    """Raises Stop(JOURNAL_RECREATED) when the group has committed more of an input than the journal holds."""
    for tp, offset in committed.items():
        if offset > position.get(tp, 0):
            raise recreated(lane, f"{tp[0]}[{tp[1]}] is committed up to {offset}, the journal ends at {position.get(tp, 0)}")
