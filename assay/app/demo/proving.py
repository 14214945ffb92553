"""The proof of a run whose processes were started one by one, from any machine that reaches its store, its Kafka and its PostgreSQL."""

from __future__ import annotations

from assay.app.bus.users import BusUser, properties_of
from assay.app.demo.admitted import entry_of
from assay.app.demo.finalisation import assay, observe, prove, refused_text, utc_now, write_evidence
from assay.app.demo.stages import Stages
from assay.app.demo.watch import refused_calls
from assay.app.oracle.sealed_world import find_world
from assay.app.run.directory import Run
from assay.app.settings import Settings
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


def prove_run(run: Run, settings: Settings, stages: Stages) -> bool:
    """Count what came in, replay, verify and report; whether all of it holds.

    Raises Stop(RUN_INCOMPLETE) while the gate of the run answers: what comes in meanwhile would be counted in part.
    """
    if refused_calls(run) is not None:
        what, remedy = "the gate of the run still takes payments", "Stop it, wait until the worker has decided the rest, and prove then."
        raise Stop(Reason.RUN_INCOMPLETE, what, where=run.gate_url, remedy=remedy)
    properties, started_utc = properties_of(run, BusUser.READER, settings), utc_now()
    world = find_world(run.store, run.config.manifest_fingerprint)
    with stages.stage("count what was admitted"):
        entry = entry_of(run, properties)
    seen = observe(run, started_utc, [], properties, 0, None)
    if world is not None and (refused := refused_text(seen.aside, world.manifest.rows)):
        stages.say(refused)
    proven = not entry.admitted or prove(run, stages, entry.admitted)
    write_evidence(run, stages, settings, seen, entry, live=world is None)
    return assay(run, "report") == 0 and proven
