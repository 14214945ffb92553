"""Delivery reports: a place when the broker said so in time, nothing otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from assay.app.gate.publication import Publication
from assay.app.gate.standing import RecordMetadata


@dataclass
class Report:
    """A message as a producer hands it to its delivery callback."""

    at: tuple[int | None, int | None]

    def partition(self) -> int | None:
        return self.at[0]

    def offset(self) -> int | None:
        return self.at[1]


def test_only_what_was_written_has_a_place() -> None:
    publication = Publication(3)
    publication.pending = 3
    publication.delivered(0, None, Report((2, 40)))
    publication.delivered(1, "timed out", Report((2, 41)))
    publication.delivered(2, None, Report((2, None)))
    assert publication.places == [RecordMetadata(2, 40), None, None]
    assert publication.pending == 0


def test_a_report_that_comes_when_nobody_waits_any_more_changes_nothing() -> None:
    publication = Publication(1)
    publication.pending = 1
    publication.end()
    publication.delivered(0, None, Report((2, 40)))
    assert publication.places == [None], "its event was answered as unknown, and is published again under its id"
