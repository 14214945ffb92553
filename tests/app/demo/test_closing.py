"""What a run says of itself when it ends: which session's latency it keeps, and what was proven."""

from __future__ import annotations

import pytest

from assay.app.demo.finalisation import Observed, latency_of, refused_text, verdict_of
from assay.app.demo.watch import Counts
from assay.app.report.evidence import RunEvidence

FIRST, NOW = "2026-01-01T00:00:00.000000Z", "2026-01-03T00:00:00.000000Z"
FAST, SLOW = {"p50": 1.0}, {"p50": 9.0}


def evidence(latency_ms: dict[str, float] | None, latency_utc: str) -> RunEvidence:
    """Evidence of a session that began between the first and this one."""
    return RunEvidence(
        started_utc="2026-01-02T00:00:00.000000Z", finished_utc="", machine="", stages=(), parts=(),
        latency_ms=latency_ms, latency_utc=latency_utc,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "before", "kept"),
    [
        (FAST, None, (FAST, NOW)),
        (None, None, (None, NOW)),
        (FAST, evidence(SLOW, FIRST), (FAST, NOW)),
        (None, evidence(SLOW, FIRST), (SLOW, FIRST)),
        (None, evidence(SLOW, ""), (SLOW, "2026-01-02T00:00:00.000000Z")),
    ],
)
def test_a_session_that_decided_nothing_keeps_the_latency_of_the_one_that_did(
    seen: dict[str, float] | None, before: RunEvidence | None, kept: tuple[dict[str, float] | None, str]
) -> None:
    assert latency_of(Observed(NOW, (), Counts({}, 0, 0), seen), before) == kept


@pytest.mark.parametrize(
    ("admitted", "proven", "said"),
    [
        (True, True, "proven: 5 of 7 payments decided and audited; 2 refused at the gate; every decision replayed alike"),
        (True, False, "NOT PROVEN: see ✗ and ? above"),
        (False, False, "NOTHING WAS ADMITTED: every payment was refused (TRUTH_COLUMN_IN_LIVE_ROW 2); there is nothing to prove"),
    ],
)
def test_the_last_line_says_what_was_proven(admitted: bool, proven: bool, said: str) -> None:
    seen = Observed(NOW, (), Counts({"TRUTH_COLUMN_IN_LIVE_ROW": 2}, 2, 0), None)
    assert verdict_of(seen, 7, admitted=admitted, proven=proven) == said


def test_the_last_line_of_a_run_without_refusals_speaks_of_every_payment() -> None:
    seen = Observed(NOW, (), Counts({}, 0, 0), None)
    assert verdict_of(seen, 7, admitted=True, proven=True) == "proven: every payment decided and audited, every decision replayed alike"


@pytest.mark.parametrize(
    ("at_gate", "in_lanes", "said"),
    [
        (0, 0, ""),
        (12, 0, "388 of 400 decided; 12 refused at the gate"),
        (0, 1, "399 of 400 decided; 1 refused in the lanes"),
        (12, 3, "385 of 400 decided; 12 refused at the gate; 3 refused in the lanes"),
    ],
)
def test_refused_payments_are_said_with_the_number_of_all(at_gate: int, in_lanes: int, said: str) -> None:
    assert refused_text(Counts({}, at_gate, in_lanes), 400) == said
