"""READY of a run that a bench posts to: its gate admits nothing before. Nothing else is said, and no database is asked."""

from __future__ import annotations

from assay.app.bus.publisher import KafkaPublisher
from assay.app.bus.users import BusUser, properties_of
from assay.app.run.directory import Run, RunConfig, live_key
from assay.app.runner import signals
from assay.app.runner.announcement import ready_of
from assay.app.runner.documents import FACTS_VIEW, write_once
from assay.app.runner.facts import facts_ref, facts_view
from assay.app.runner.live_world import LiveWorld
from assay.app.runner.plan import RunnerPolicy, compile_plan
from assay.app.runner.request import read_request, request_of_run
from assay.contracts.handles import CONTROL
from assay.contracts.ids import scenario_run_id


def as_live(config: RunConfig) -> RunConfig:
    """The configuration as one of a run that decides what is posted to it."""
    return config.model_copy(update={"scenario_run_id": scenario_run_id(live_key(config.platform_run_id))})


def numbered_run(number: int) -> str:
    """The platform run of a round of a bench: the second of this number of a day."""
    return f"platform_20260101T{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}Z"


def say_ready(run: Run) -> None:
    """Write the facts view of a live run and say READY. Raises Stop(RUN_SCOPE_MISMATCH) for another run, Stop(PRODUCE_FAILED)."""
    config, request, world = run.config, read_request(request_of_run(run.config)), LiveWorld(run.config)
    plan = compile_plan(request, config, RunnerPolicy(), world.outputs_of(request))
    facts = facts_view(request, config, plan, world.look(request))
    write_once(run.store, FACTS_VIEW, request.run_id, facts)
    ready = ready_of(facts, config.run_id, facts_ref(request.run_id))
    publisher = KafkaPublisher(run.bootstrap, run.namespace, properties_of(run, BusUser.RUNNER))
    publisher.publish(CONTROL, [signals.bus_record(CONTROL, "run_ready", ready, 1)])
