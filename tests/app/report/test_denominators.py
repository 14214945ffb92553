"""What is not among the decided payments is said beside their number: refused later, or set aside at import."""

from __future__ import annotations

from dataclasses import replace

from proven_runs import ROWS

from assay.app.report.summary import summarize
from assay.app.run.directory import Run


def test_refused_payments_stand_beside_those_that_were_decided(proven: Run) -> None:
    summary = summarize(proven)
    assert summary.run is not None
    some = replace(summary, sealed_rows=ROWS + 12, run=summary.run.model_copy(update={"refused_triggers": 12}))
    what, held, figures = some.verdicts[0]
    assert (what, held) == ("Every eligible payment decided and audited", True)
    assert figures == f"{ROWS:,} of {ROWS + 12:,} eligible (12 refused), all decided, all audited"


def test_rows_set_aside_at_import_stand_beside_the_number_of_payments(proven: Run) -> None:
    some = replace(summarize(proven), aside={"INPUT_VALUE_INVALID": 3})
    assert some.verdicts[0][2].endswith("all audited; 3 rows set aside at import (INPUT_VALUE_INVALID 3)")


def test_of_a_run_without_either_nothing_more_is_said(proven: Run) -> None:
    assert summarize(proven).verdicts[0] == ("Every payment decided and audited", True, f"{ROWS:,} eligible, all decided, all audited")
