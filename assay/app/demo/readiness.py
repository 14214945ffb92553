"""A demo asks the Scenario Runner for its run."""

from __future__ import annotations

from assay.app.demo.finalisation import assay
from assay.app.run.directory import Run
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def bring_to_ready(run: Run, *options: str) -> None:
    """Ask for the run; `options` are those of `assay sr submit`. An authority of its own (`ASSAY_AUTHORITY`) is its users' to migrate.

    Raises Stop(RUN_INCOMPLETE).
    """
    if assay(run, "sr", "submit", *options, quiet=True):
        raise Stop(Reason.RUN_INCOMPLETE, "the scenario runner does not say READY", remedy="Its message above says why.")
